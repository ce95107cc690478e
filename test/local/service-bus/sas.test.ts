import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { parseDuration } from "../../../local/service-bus/config.ts";
import { checkToken } from "../../../local/service-bus/sas.ts";

const NOW = 1_700_000_000_000;
const KEYS = { RootManageSharedAccessKey: "SAS_KEY_VALUE" };

function token(resource: string, { secondsLeft = 60, key = "SAS_KEY_VALUE", name = "RootManageSharedAccessKey" } = {}) {
  const sr = encodeURIComponent(resource);
  const se = NOW / 1000 + secondsLeft;
  const sig = encodeURIComponent(createHmac("sha256", key).update(`${sr}\n${se}`).digest("base64"));
  return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${se}&skn=${name}`;
}

const check = (text: string, audience = "sb://host/runs") => checkToken(text, audience, KEYS, NOW);

test("a good token holds until it expires", () => {
  expect(check(token("sb://host/runs"))).toBe(NOW + 60_000);
});

test("a token for a resource covers what lies below it, and nothing beside it", () => {
  expect(() => check(token("sb://host/"), "sb://host/runs/$management")).not.toThrow();
  expect(() => check(token("sb://HOST/Runs"), "sb://host/runs/$DeadLetterQueue")).not.toThrow();
  expect(() => check(token("sb://host/runs"), "sb://host/runs-of-others")).toThrow("InvalidAudience");
  expect(() => check(token("sb://host/runs/$management"), "sb://host/runs")).toThrow("InvalidAudience");
});

test.each([
  ["an expired token", token("sb://host/runs", { secondsLeft: 0 }), "ExpiredToken"],
  ["a token signed with another key", token("sb://host/runs", { key: "wrong" }), "InvalidSignature"],
  ["a token of an unknown key", token("sb://host/runs", { name: "unknown" }), "InvalidSignature"],
  ["a token whose expiry was changed", token("sb://host/runs").replace(/se=\d/, "se=9"), "InvalidSignature"],
  ["a token whose expiry is no number", "SharedAccessSignature sr=a&sig=b&se=never&skn=c", "InvalidSignature"],
  ["something else", "Bearer abc", "malformed token"],
])("%s is refused", (_, text, reason) => {
  expect(() => check(text)).toThrow(reason);
});

test("durations are read as the emulator's configuration writes them", () => {
  expect(["PT30S", "PT1M", "PT24H", "P14D", "P1DT2H3M4.5S"].map(parseDuration)).toEqual([
    30_000,
    60_000,
    86_400_000,
    14 * 86_400_000,
    86_400_000 + 2 * 3_600_000 + 3 * 60_000 + 4500,
  ]);
  expect(() => parseDuration("P1Y")).toThrow("not a duration");
});
