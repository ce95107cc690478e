/**
 * Random sequences of calls on threads and their runs, legal and illegal ones, against a small reference of what
 * docs/contract.md 3 says: they must never disagree. LIFE_SEQUENCES says how many; LIFE_SEED repeats one: the number
 * that a failure prints is the seed of the one sequence that failed.
 */
import { CosmosClient } from "@azure/cosmos";
import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { newTenant } from "../harness.ts";
import { Player } from "./player.ts";
import { type Sequence, sequence } from "./sequences.ts";
import { World } from "./world.ts";

const SEQUENCES = Number(process.env.LIFE_SEQUENCES ?? 150);
const SEED = Number(process.env.LIFE_SEED ?? Date.now() % 1_000_000_000);

/** Sequences under way at a time. Most of what they do is waiting. */
const AT_A_TIME = 64;
const TENANTS = 4;
const SHRINK_FOR = 60_000;
const TIMEOUT = 60_000 + SEQUENCES * 2_000;

interface Failure {
  seed: number;
  error: unknown;
  trace: string[];
}

test(`${SEQUENCES} random lives of threads go as the contract says (seed ${SEED})`, { timeout: TIMEOUT }, async () => {
  const worlds = await Promise.all(Array.from({ length: TENANTS }, newWorld));
  const failures: Failure[] = [];
  let next = 0;
  let calls = 0;
  const started = performance.now();
  const workers = Array.from({ length: AT_A_TIME }, async () => {
    while (next < SEQUENCES && failures.length < 5) {
      const seed = SEED + next++;
      const world = worldOf(worlds, seed);
      await Player.play(world, sequenceOf(seed)).catch((error: unknown) => {
        failures.push({ seed, error, trace: world.trace });
      });
      calls += world.trace.length;
    }
  });
  await Promise.all(workers);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${next} lives from seed ${SEED}: ${calls} calls in ${seconds} s, ${failures.length} disagreements`);
  const [first] = failures;
  if (first === undefined) return;
  const all = failures.map(({ seed, error }) => `${seed}: ${firstLine(error)}`).join("\n");
  const repeat = `LIFE_SEED=${first.seed} LIFE_SEQUENCES=1 repeats the first of\n${all}`;
  const others = failures.slice(1).map(whatHappened).join("\n");
  throw new Error(`${repeat}\n${await smallest(worlds, first)}\n${others}`);
});

test("all kinds of actions, turns and outputs come up among the sequences", () => {
  const actions = Array.from({ length: 400 }, (_, index) => sequenceOf(SEED + index)).flatMap((each) => each.actions);
  const turns = actions.flatMap((action) => (action.do === "create run" ? action.turns : []));

  expect(new Set(actions.map((action) => action.do)).size).toBe(14);
  expect(new Set(turns.map((turn) => turn.end)).size).toBe(8);
  expect(new Set(actions.flatMap((action) => (action.do === "submit" ? [action.outputs] : []))).size).toBe(7);
});

async function newWorld(): Promise<World> {
  const tenant = newTenant();
  const [instructed, uninstructed] = await Promise.all([
    tenant.openai.beta.assistants.create({ model: "m", instructions: "Be brief." }),
    tenant.openai.beta.assistants.create({ model: "m" }),
  ]);
  const { cosmos } = inject("stack");
  const threads = new CosmosClient(cosmos).database("threadkeep").container("threads");
  return new World(tenant, { instructed: instructed.id, uninstructed: uninstructed.id }, threads);
}

function worldOf(worlds: World[], seed: number): World {
  const world = worlds[seed % worlds.length];
  if (world === undefined) throw new Error("there is no world");
  return world.fresh();
}

function sequenceOf(seed: number): Sequence {
  const [first] = fc.sample(sequence, { seed, numRuns: 1 });
  if (first === undefined) throw new Error("fast-check makes no sequence");
  return first;
}

/** What is left of a failing sequence when everything is taken away that does not matter. */
async function smallest(worlds: World[], failure: Failure): Promise<string> {
  const { seed } = failure;
  let last = failure;
  const property = fc.asyncProperty(sequence, async (each) => {
    const world = worldOf(worlds, seed);
    await Player.play(world, each).catch((error: unknown) => {
      last = { seed, error, trace: world.trace };
      throw error;
    });
  });
  const found = await fc.check(property, { seed, numRuns: 1, interruptAfterTimeLimit: SHRINK_FOR });
  if (found.counterexample === null) return `It does not fail always.\n${whatHappened(failure)}`;
  return `${JSON.stringify(found.counterexample[0], null, 1)}\n${whatHappened(last)}`;
}

/** The last calls, and how they disagreed. */
function whatHappened({ seed, error, trace }: Failure): string {
  return `What happened with ${seed}:\n${trace.slice(-40).join("\n")}\n${firstLine(error)}\n${difference(error)}\n`;
}

/** Both sides of an assertion in full. */
function difference(error: unknown): string {
  if (!(error instanceof Error) || !("actual" in error)) return error instanceof Error ? (error.stack ?? "") : "";
  const { actual, expected } = error as Error & { actual: unknown; expected: unknown };
  const side = (value: unknown) => JSON.stringify(value)?.slice(0, 3_000);
  return `actual ${side(actual)}\nexpected ${side(expected)}\n${error.stack}`;
}

const firstLine = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 600);
