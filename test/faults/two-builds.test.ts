/**
 * A rolling update, and a rollback: an older and a newer build side by side on one store and one queue, while clients go
 * on. docs/architecture.md, "Versions", says what each may do with what the other wrote. VERSION_ROUNDS makes it longer.
 */
import { expect, test } from "vitest";
import { until } from "../e2e/harness.ts";
import { type Build, type Fleet, startFleet } from "./versions/fleet.ts";
import { Traffic } from "./versions/traffic.ts";
import { complaints, marksOf } from "./versions/verdict.ts";

/** How many times as many conversations as usual there are in each phase. */
const ROUNDS = Number(process.env.VERSION_ROUNDS ?? 1);

const LANES = 6;
/** Conversations that end before the first instance is replaced, and after the last. */
const ALONE = 6 * ROUNDS;
/** Runs that cross from one build to the other, either way, before the last instance is replaced. */
const CROSSED = 2 * ROUNDS;

/** Milliseconds. */
const LONGEST = 60_000 * ROUNDS;

/** Replaces the instances of one build by those of the other, one at a time. */
async function roll(fleet: Fleet, from: Build, to: Build): Promise<Traffic> {
  const traffic = new Traffic(fleet, LANES);
  const enough = (number: number) =>
    until(async () => traffic.ended.length + traffic.failures.length >= number, LONGEST);
  await enough(ALONE);
  await fleet.start(to);
  await fleet.stop(from);
  const crossings = async () =>
    traffic.failures.length > 0 ||
    (fleet.updating > 0 &&
      (await traffic.crossed(from, to)) >= CROSSED &&
      (await traffic.crossed(to, from)) >= CROSSED);
  await until(crossings, LONGEST);
  await fleet.start(to);
  await fleet.stop(from);
  await enough(traffic.conversations.length + ALONE);
  await traffic.finish();
  return traffic;
}

async function inFleet(first: Build, check: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await startFleet(first);
  try {
    await check(fleet);
  } finally {
    await fleet.close();
  }
}

const summary = (what: string, traffic: Traffic) => {
  const { conversations } = traffic;
  const newer = conversations.filter(({ createdBy }) => createdBy === "newer").length;
  const ofNewMeaning = conversations.filter(({ isNewMeaning }) => isNewMeaning).length;
  const stranded = conversations.filter(({ isStranded }) => isStranded).length;
  console.log(
    `${what}: ${conversations.length} runs, ${newer} created by the newer build, ${ofNewMeaning} of them of its ` +
      `version, ${stranded} left behind`,
  );
};

test("a rolling update loses nothing, and what it adds is done and kept", { timeout: 3 * LONGEST }, async () => {
  await inFleet("older", async (fleet) => {
    const traffic = await roll(fleet, "older", "newer");
    summary("update", traffic);
    expect(traffic.failures).toEqual([]);
    expect(await complaints(fleet, traffic.conversations)).toEqual([]);
    expect(traffic.conversations.filter(({ isStranded }) => isStranded)).toEqual([]);
    await until(async () => (await marksOf(fleet, traffic.conversations)).waiting.length === 0, LONGEST);
    expect((await marksOf(fleet, traffic.conversations)).lost).toEqual([]);
  });
});

test("a rollback loses nothing: what only the newer build understands waits for it, expires or is cancelled", {
  timeout: 3 * LONGEST,
}, async () => {
  await inFleet("newer", async (fleet) => {
    const traffic = await roll(fleet, "newer", "older");
    summary("rollback", traffic);
    expect(traffic.failures).toEqual([]);
    expect(await complaints(fleet, traffic.conversations)).toEqual([]);
    expect((await marksOf(fleet, traffic.conversations)).lost).toEqual([]);
  });
});
