/** Makes things go wrong at random: processes die or freeze, servers refuse, connections break, messages get lost. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "../../../local/child.ts";
import type { FaultRule as CodeFault } from "../../../local/code-sessions/faults.ts";
import type { FaultRule as StoreFault } from "../../../local/cosmos/fault-rules.ts";
import type { FaultReport } from "../../../local/cosmos/faults.ts";
import type { FaultRule as QueueFault } from "../../../local/service-bus/faults.ts";
import { POINTS } from "../points/points.ts";
import { type Cluster, LEASE } from "./cluster.ts";
import { CODE_FAULTS, QUEUE_FAULTS, STORE_FAULTS } from "./fault-rates.ts";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import { SIEGES, type SiegePlan } from "./sieges.ts";

/** What happens to processes, and how often among each other. */
const DEEDS = { kill: 50, freeze: 22, stop: 8, killStore: 10, killQueue: 10, blackout: 6, killCode: 0 };
const DEEDS_WITH_CODE = { ...DEEDS, killCode: 8 };

/** How long a blackout waits until a run comes to its point. Milliseconds. */
const UNTIL_HELD = 2_500;

/** How long a dead process stays dead at the most. Milliseconds. */
const LONGEST_DEATH = 1_200;

export interface ChaosOptions {
  /** between two blows to a process on average, in milliseconds */
  peace: number;
  /** the share of wake-ups that get lost: each costs the time until a sweep finds its run */
  lost: number;
  /** how long the store fails every request in each of the ways of a siege, in milliseconds */
  siege: number;
}

export interface ChaosContext {
  cluster: Cluster;
  random: Random;
  ledger: Ledger;
  /** the share of the stories that have begun, from 0 to 1: it says when the next siege is due */
  progress: () => number;
}

export class Chaos {
  /** how often each fault was injected */
  readonly counts: Record<string, number> = {};
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #progress: () => number;
  readonly #options: ChaosOptions;
  readonly #sieges: SiegePlan[] = [...SIEGES];
  readonly #queueFaults: QueueFault[];
  readonly #over = new AbortController();
  /** down or frozen at the moment */
  readonly #victims = new Set<Child>();
  readonly #recoveries = new Set<Promise<void>>();
  /** those of them that start a process again */
  readonly #restarts = new Set<Promise<void>>();
  #loop: Promise<void> = Promise.resolve();
  #lastWasSiege = false;

  constructor({ cluster, random, ledger, progress }: ChaosContext, options: ChaosOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#ledger = ledger;
    this.#progress = progress;
    this.#options = options;
    this.#queueFaults = [...QUEUE_FAULTS, { fault: "drop", rate: options.lost }];
  }

  async begin(): Promise<void> {
    await Promise.all([
      this.#putStoreFaults(STORE_FAULTS),
      this.#putQueueFaults(this.#queueFaults),
      this.#putCodeFaults(CODE_FAULTS),
    ]);
    this.#loop = this.#rage();
  }

  /** No more faults; resolves when every process is up again. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#loop;
    await Promise.all(this.#recoveries);
    await Promise.all([this.#countStruck("store"), this.#countStruck("queue"), this.#countStruck("code")]);
    await Promise.all([this.#putStoreFaults([]), this.#putQueueFaults([]), this.#putCodeFaults([])]);
  }

  async #rage(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const { peace } = this.#options;
      await this.#pause(this.#random.between(0.2 * peace, 1.8 * peace));
      if (this.#over.signal.aborted) return;
      if (this.#siegeIsDue()) {
        await this.#besiege();
        this.#lastWasSiege = true;
        continue;
      }
      this.#lastWasSiege = false;
      const { cosmos, serviceBus, code } = this.#cluster.stack.processes;
      const deed = this.#random.weighted(code === undefined ? DEEDS : DEEDS_WITH_CODE);
      if (deed === "blackout") {
        this.#beginBlackout();
        continue;
      }
      const servers: Partial<Record<typeof deed, Child | undefined>> = {
        killStore: cosmos,
        killQueue: serviceBus,
        killCode: code,
      };
      const victim = servers[deed] ?? this.#anyInstance();
      if (this.#victims.has(victim)) continue;
      this.counts[deed] = (this.counts[deed] ?? 0) + 1;
      if (deed === "freeze") this.#recover([victim], this.#freeze(victim));
      else this.#restarts.add(this.#recover([victim], this.#kill(victim, deed)));
    }
  }

  /** Whether every siege has been. */
  get isComplete(): boolean {
    return this.#sieges.length === 0;
  }

  /** Never one right after the other. */
  #siegeIsDue(): boolean {
    if (this.#lastWasSiege) return false;
    const past = SIEGES.length - this.#sieges.length;
    return this.#sieges.length > 0 && this.#progress() >= (past + 1) / (SIEGES.length + 1);
  }

  /** No process dies or starts meanwhile: what the store's trouble alone leads to must show. */
  async #besiege(): Promise<void> {
    await Promise.all(this.#restarts);
    const [plan] = this.#sieges;
    if (plan === undefined) return;
    await this.#countStruck("store");
    const lift = this.#ledger.besiege(plan.name);
    await this.#putStoreFaults(plan.rules);
    await this.#pause(this.#options.siege);
    await this.#countStruck("store");
    await this.#putStoreFaults(STORE_FAULTS);
    lift();
    this.#sieges.shift();
    this.counts[`siege ${plan.name}`] = 1;
  }

  #anyInstance(): Child {
    return this.#random.pick(this.#cluster.instances);
  }

  #beginBlackout(): void {
    const { cosmos } = this.#cluster.stack.processes;
    const instances = this.#cluster.instances.filter((instance) => !this.#victims.has(instance));
    if (this.#victims.has(cosmos)) return;
    // The store must live to hold the request.
    this.#restarts.add(this.#recover([cosmos, ...instances], this.#blackout(instances)));
  }

  /** All instances die at once, when one of them is at a named point of a run's life. */
  async #blackout(instances: Child[]): Promise<void> {
    const { held } = this.#random.pick(POINTS);
    await this.#countStruck("store");
    await this.#putStoreFaults([...STORE_FAULTS, { ...held, times: 1 }]);
    const isHeld = await this.#untilHeld();
    if (isHeld) {
      this.counts.blackout = (this.counts.blackout ?? 0) + 1;
      for (const { name } of instances) this.#ledger.strike("blackout", name);
      await Promise.all(instances.map((instance) => instance.kill("SIGKILL")));
    }
    await this.#countStruck("store");
    await this.#putStoreFaults(STORE_FAULTS);
    if (isHeld) await Promise.all(instances.map(revive));
  }

  async #untilHeld(): Promise<boolean> {
    for (const end = Date.now() + UNTIL_HELD; Date.now() < end && !this.#over.signal.aborted; await this.#pause(50)) {
      const url = new URL("/_local/faults", this.#cluster.stack.cosmos.endpoint);
      const rules = (await (await fetch(url)).json()) as FaultReport[];
      if (rules.some(({ held }) => held > 0)) return true;
    }
    return false;
  }

  #recover(victims: Child[], work: Promise<void>): Promise<void> {
    for (const victim of victims) this.#victims.add(victim);
    const recovery = work.finally(() => {
      for (const victim of victims) this.#victims.delete(victim);
      this.#recoveries.delete(recovery);
      this.#restarts.delete(recovery);
    });
    this.#recoveries.add(recovery);
    return recovery;
  }

  /**
   * Longer than its lease, mostly: an instance that wakes up believes that it still owns its runs. A process of its own
   * does it, so that no instance stays frozen for ever if this one is killed meanwhile.
   */
  async #freeze({ pid, name }: Child): Promise<void> {
    if (pid === undefined) return;
    const seconds = this.#random.between(LEASE / 2, LEASE * 2).toFixed(2);
    const script = `kill -STOP ${pid}; sleep ${seconds}; kill -CONT ${pid}`;
    const close = this.#ledger.strike("freeze", name);
    await once(spawn("sh", ["-c", script], { detached: true, stdio: "ignore" }), "exit");
    close();
  }

  async #kill(victim: Child, deed: keyof typeof DEEDS): Promise<void> {
    if (deed === "killStore") await this.#countStruck("store");
    if (deed === "killQueue") await this.#countStruck("queue");
    if (deed === "killCode") await this.#countStruck("code");
    const close = this.#ledger.strike(deed === "stop" ? "stop" : "kill", victim.name);
    await victim.kill(deed === "stop" ? "SIGTERM" : "SIGKILL");
    if (deed === "stop") close();
    await this.#pause(this.#random.between(0, LONGEST_DEATH));
    await revive(victim);
    // Servers forget their faults when they die.
    if (this.#over.signal.aborted) return;
    if (deed === "killStore") await this.#putStoreFaults(STORE_FAULTS);
    if (deed === "killQueue") await this.#putQueueFaults(this.#queueFaults);
    if (deed === "killCode") await this.#putCodeFaults(CODE_FAULTS);
  }

  /** Adds what a server's own faults have done since they were set. */
  async #countStruck(server: "store" | "queue" | "code"): Promise<void> {
    const { cosmos, serviceBus, codeSessions } = this.#cluster.stack;
    const base = { store: cosmos.endpoint, queue: serviceBus.controlUrl, code: codeSessions?.endpoint }[server];
    if (base === undefined) return;
    const response = await fetch(new URL("/_local/faults", base)).catch(() => undefined);
    const rules = response?.ok ? ((await response.json()) as { fault: string; fired?: number; struck?: number }[]) : [];
    for (const { fault, fired = 0, struck = fired } of rules) {
      const name = `${server} ${fault}`;
      this.counts[name] = (this.counts[name] ?? 0) + struck;
    }
  }

  #putStoreFaults(rules: StoreFault[]): Promise<void> {
    return put(new URL("/_local/faults", this.#cluster.stack.cosmos.endpoint), rules);
  }

  #putQueueFaults(rules: QueueFault[]): Promise<void> {
    const seed = Math.floor(this.#random.between(0, 2 ** 31));
    return put(new URL(`/_local/faults?seed=${seed}`, this.#cluster.stack.serviceBus.controlUrl), rules);
  }

  async #putCodeFaults(rules: CodeFault[]): Promise<void> {
    const { codeSessions } = this.#cluster.stack;
    if (codeSessions !== undefined) await put(new URL("/_local/faults", codeSessions.endpoint), rules);
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#over.signal }).catch(() => undefined);
  }
}

/** An instance that comes up while the store is down may give up: then it is started again, as Azure would. */
async function revive(child: Child): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await child.start();
    } catch (error) {
      if (attempt === 5) throw error;
      await child.kill("SIGKILL");
    }
  }
}

async function put(url: URL, rules: object[]): Promise<void> {
  const { status } = await fetch(url, { method: "PUT", body: JSON.stringify(rules) });
  if (status !== 200) throw new Error(`${url} answered ${status}`);
}
