import { afterAll, expect, test } from "vitest";
import { newTenant } from "../e2e/harness.ts";
import { ALLOWANCES } from "./allowances.ts";
import { RECORDINGS, readRecordings } from "./recordings.ts";
import { type Outcome, replay } from "./replay.ts";

const recordings = readRecordings("openai-dotnet/AssistantsTests");
const outcomes: Outcome[] = [];

if (recordings.length === 0) {
  console.log(`No recordings are replayed: there are none in ${RECORDINGS}.`);
  test.skip("the original's client gets the original's answers", () => {});
}

for (const recording of recordings) {
  test(`the original's client gets the original's answers: ${recording.name}`, async ({ skip }) => {
    const outcome = await replay(recording, newTenant());
    outcomes.push(outcome);
    expect(outcome.different).toEqual([]);
    // Rather than to pass without having compared anything.
    skip(outcome.equal === 0, "none of its requests is served yet");
  });
}

afterAll(() => {
  if (outcomes.length === 0) return;
  const byName = outcomes.toSorted((one, other) => (one.recording < other.recording ? -1 : 1));
  console.log(
    [...byName.map((outcome) => `${outcome.recording}: ${summary([outcome])}`), summary(outcomes)].join("\n"),
  );
  // An allowance that nothing needs any more would hide the next mistake. Some of the tests alone cannot tell.
  if (outcomes.length < recordings.length) return;
  const unused = ALLOWANCES.filter((allowance) => !outcomes.some(({ allowances }) => allowances.has(allowance)));
  const needless = unused.filter(({ isByChance }) => !isByChance);
  expect(needless.map(({ contract, why }) => `${contract}: ${why}`)).toEqual([]);
});

function summary(of: Outcome[]): string {
  const sum = (count: (outcome: Outcome) => number) => of.reduce((total, outcome) => total + count(outcome), 0);
  const [equal, different] = [sum((outcome) => outcome.equal), sum((outcome) => outcome.different.length)];
  const reasons = [...new Set(of.flatMap(({ notServed }) => [...notServed.keys()]))];
  const notServed = reasons.map((reason) => `${sum((outcome) => outcome.notServed.get(reason) ?? 0)} (${reason})`);
  return [
    `${equal + different} replayed, ${equal} equal, ${different} different`,
    `${sum(({ folded }) => folded)} polls folded`,
    `not served yet: ${notServed.join(", ") || "0"}`,
  ].join("; ");
}
