/**
 * Random sequences of calls on files, uploads, vector stores and batches, legal and illegal ones, against a small
 * reference of what the contract says: they must never disagree, and the counts of a store equal its documents at
 * every look. FILES_LIVES says how many sequences; FILES_SEED repeats one: the number that a failure prints is the
 * seed of the one that failed.
 */
import { CosmosClient } from "@azure/cosmos";
import { expect, inject, test } from "vitest";
import { newTenant, type Tenant } from "../harness.ts";
import { FilesPlayer } from "./player.ts";
import { FilesWorld } from "./world.ts";

const LIVES = Number(process.env.FILES_LIVES ?? 8);
const SEED = Number(process.env.FILES_SEED ?? Date.now() % 1_000_000_000);
const LANES = Math.min(16, LIVES);

/** Calls of one sequence, or a few more. */
const STEPS = 40;

/** What a tenant's lists hold must not grow without end. */
const LIVES_OF_TENANT = 50;

test(`${LIVES} random lives of files go as the contract says (seed ${SEED})`, {
  timeout: 120_000 + LIVES * 3_000,
}, async () => {
  const failures: string[] = [];
  const done = new Map<string, number>();
  let next = 0;
  const sums: Sums = { calls: 0, repeated: 0 };
  const started = performance.now();
  const lane = async () => {
    let tenant = newTenant();
    for (let lived = 0; next < LIVES && failures.length < 5; lived++) {
      if (lived === LIVES_OF_TENANT) [tenant, lived] = [newTenant(), 0];
      const seed = SEED + next++;
      await live(tenant, seed, { done, failures, sums });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { calls, repeated } = sums;
  console.log(
    `${next} lives of files from seed ${SEED}: ${calls} calls in ${seconds} s, ${repeated} sent again after 503; ` +
      JSON.stringify(counted(done)),
  );
  expect(failures.join("\n\n")).toBe("");
  if (LIVES >= 100) expect(done.size).toBe(KINDS);
});

/** Of actions. */
const KINDS = 29;

const counted = (done: Map<string, number>) => Object.fromEntries([...done].toSorted());

interface Sums {
  calls: number;
  /** requests that were sent once more, after a 503 */
  repeated: number;
}

interface Results {
  /** how often each action was done */
  done: Map<string, number>;
  failures: string[];
  sums: Sums;
}

async function live(tenant: Tenant, seed: number, { done, failures, sums }: Results): Promise<void> {
  const stored = new CosmosClient(inject("stack").cosmos).database("threadkeep").container("stores");
  const world = new FilesWorld(tenant, stored, seed);
  try {
    for (const [name, count] of await new FilesPlayer(world).play(STEPS)) done.set(name, (done.get(name) ?? 0) + count);
  } catch (error) {
    failures.push(`FILES_SEED=${seed} FILES_LIVES=1 repeats it:\n${world.trace.join("\n")}\n${told(error)}`);
  }
  sums.calls += world.trace.length;
  sums.repeated += world.repeated;
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected } = error as Error & { actual?: unknown; expected?: unknown };
  return `${error.message}\n${JSON.stringify({ actual, expected })}\n${error.stack?.slice(0, 600)}`;
}
