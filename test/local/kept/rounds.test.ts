/**
 * Servers are killed, meet a full disk and are started a second time on their data, at random, while clients write:
 * what was acknowledged is there afterwards, and what was refused is not. `KEPT_ROUNDS=200` plays 200 rounds.
 */
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Random } from "../../faults/harness/random.ts";
import { CosmosClients, ServiceBusClients, type Session } from "./clients.ts";
import { type Disk, NO_SMALL_DISK, smallDisk } from "./disk.ts";
import { refusalOf, type Server, type ServerName, startServer } from "./servers.ts";

const EVENTS = ["kill", "full disk", "second start"] as const;
type RoundEvent = (typeof EVENTS)[number];

/** In `npm test`, each kind of round once. */
const ROUNDS = Number(process.env.KEPT_ROUNDS ?? EVENTS.length);
const SEED = Number(process.env.KEPT_SEED ?? 1);
const LONGEST = 30_000 + ROUNDS * 20_000;

/** One store: its data, its server while that runs, and its clients. */
class Store {
  readonly name: ServerName;
  readonly clients: CosmosClients | ServiceBusClients;
  readonly #data: string;
  #server: Server | undefined;
  #session: Session | undefined;

  constructor(name: ServerName, disk: Disk, random: Random) {
    this.name = name;
    this.#data = path.join(disk.folder, name);
    const { next } = random.fork();
    this.clients = name === "cosmos" ? new CosmosClients(next) : new ServiceBusClients(next);
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Starts the server if it does not run, and tells what is wrong with what it holds. */
  async verify(): Promise<string[]> {
    this.#server ??= await startServer(this.name, this.#data);
    const session = await this.clients.connect(this.#server.port);
    return session.verify();
  }

  async write(): Promise<void> {
    this.#session = await this.clients.connect(this.#server?.port ?? 0);
    this.#session.write();
  }

  stopWriting(): Promise<void> | undefined {
    return this.#session?.stop();
  }

  async kill(): Promise<void> {
    this.#server?.child.kill("SIGKILL");
    await this.#server?.exited;
    this.#server = undefined;
  }

  /** A broker ends by itself when its disk is full; a store goes on. */
  async forgetIfEnded(): Promise<void> {
    const server = this.#server;
    if (server && (await Promise.race([server.exited, sleep(50, "runs")])) !== "runs") this.#server = undefined;
  }

  secondStart(): Promise<string> {
    return refusalOf(this.name, this.#data);
  }
}

async function play(event: RoundEvent, stores: Store[], disk: Disk, random: Random): Promise<void> {
  await sleep(random.between(50, 400));
  if (event === "kill") {
    await Promise.all(stores.map((store) => store.kill()));
  } else if (event === "second start") {
    const refusals = await Promise.all(stores.map((store) => store.secondStart()));
    for (const refusal of refusals) expect(refusal).toMatch(/exit code 1: .* is in use by process \d+/);
  } else {
    const pids = stores.map(({ pid }) => pid);
    disk.fill(pids, Math.floor(random.between(0, 40_000)));
    await sleep(random.between(50, 400));
    if (random.chance(0.3)) await Promise.all(stores.map((store) => store.kill()));
    disk.free(pids);
    await sleep(random.between(10, 100));
    // Soon, before a shorter journal takes the place of the one that was refused a line.
    if (random.chance(0.6)) await Promise.all(stores.map((store) => store.kill()));
  }
  await Promise.all(stores.map((store) => store.stopWriting()));
  await Promise.all(stores.map((store) => store.forgetIfEnded()));
}

test("what was acknowledged is there and what was refused is not, whatever happened", {
  timeout: LONGEST,
}, async (context) => {
  const disk = smallDisk();
  if (!disk) return context.skip(NO_SMALL_DISK);
  const random = new Random(SEED);
  const stores = (["cosmos", "service-bus"] as const).map((name) => new Store(name, disk, random));
  const verified = async (round: string) => {
    const wrong = await Promise.all(stores.map((store) => store.verify()));
    expect(wrong.flat(), round).toEqual([]);
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const event = round < EVENTS.length ? EVENTS[round] : random.pick(EVENTS);
      await verified(`before round ${round} (${event}) of seed ${SEED}`);
      await Promise.all(stores.map((store) => store.write()));
      await play(event ?? "kill", stores, disk, random);
    }
    await verified("at the end");
    for (const { name, clients } of stores) {
      const { acknowledged, refused } = clients.ledger;
      console.log(`${ROUNDS} rounds, ${name}: ${acknowledged} writes acknowledged, ${refused} refused, none lost`);
      expect(acknowledged).toBeGreaterThan(ROUNDS);
    }
  } finally {
    await Promise.all(stores.map((store) => store.kill()));
    disk.remove();
  }
});
