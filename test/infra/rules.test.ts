/** What the templates must never do, on what `bicep snapshot` says that they would create. */
import { describe, expect, test } from "vitest";
import { ACCESS } from "./rules/access.ts";
import { APP } from "./rules/app.ts";
import { DATA } from "./rules/data.ts";
import { CONFIGURATIONS, Snapshot } from "./snapshot.ts";

const RULES = [...ACCESS, ...APP, ...DATA];

describe.each(CONFIGURATIONS)("in the %s configuration", (configuration) => {
  const snapshot = Snapshot.read(configuration);

  test.each(RULES)("$rule", ({ holds }) => {
    expect(holds(snapshot)).toBe(true);
  });
});

describe("a mistake is found by the rule", () => {
  test.each(RULES)("$rule", ({ holds, mistake, in: where }) => {
    const snapshot = Snapshot.read(where ?? "private");
    mistake(snapshot);
    expect(holds(snapshot)).toBe(false);
  });
});
