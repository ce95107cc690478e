import { expect, test } from "vitest";
import { entry } from "../../../src/telemetry/entry.ts";
import { partsOf } from "../../../src/telemetry/telemetry.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENTS = `00-${TRACE}-b7ad6b7169203331-01`;
const HOSTS = `00-${TRACE}-00f067aa0ba902b7-01`;

test.each<[string, string | undefined, string | undefined, ReturnType<typeof entry>]>([
  ["the host records the request: its span is the parent", HOSTS, CLIENTS, { kind: "internal", parent: HOSTS }],
  ["the host records the request of a client that has no trace", HOSTS, undefined, { kind: "internal", parent: HOSTS }],
  ["the host hands on its caller's trace", CLIENTS, CLIENTS, { kind: "server", parent: CLIENTS, isParentOwn: false }],
  [
    "the host records nothing, of a client that has a trace",
    HOSTS.replace(/01$/, "00"),
    CLIENTS,
    { kind: "server", parent: CLIENTS, isParentOwn: false },
  ],
  ["the host records nothing: the app begins a trace", HOSTS.replace(/01$/, "00"), undefined, { kind: "server" }],
  ["there is no host's trace", undefined, CLIENTS, { kind: "server", parent: CLIENTS, isParentOwn: false }],
  ["there is no trace at all", undefined, undefined, { kind: "server" }],
  ["what a client sends is no trace", undefined, "hello", { kind: "server" }],
  [
    "what a client sends is no trace, and the host made one up",
    HOSTS.replace(/01$/, "00"),
    "hello",
    { kind: "server" },
  ],
])("%s", (_, traceParent, carried, expected) => {
  expect(entry({ traceContext: { traceParent } }, carried, "server")).toStrictEqual(expected);
});

test("a message carries a trace of the app itself", () => {
  const unsampled = CLIENTS.replace(/01$/, "00");
  expect(entry({ traceContext: { traceParent: HOSTS.replace(/01$/, "00") } }, unsampled, "consumer")).toEqual({
    kind: "consumer",
    parent: unsampled,
    isParentOwn: true,
  });
  expect(entry({ traceContext: { traceParent: HOSTS } }, unsampled, "consumer")).toEqual({
    kind: "internal",
    parent: HOSTS,
  });
});

test("a message that carries no trace begins one where the host records nothing", () => {
  const madeUp = HOSTS.replace(/01$/, "00");
  expect(entry({ traceContext: { traceParent: madeUp } }, undefined, "consumer")).toStrictEqual({ kind: "consumer" });
});

test.each([
  "",
  "00-00000000000000000000000000000000-b7ad6b7169203331-01",
  `00-${TRACE}-0000000000000000-01`,
  `ff-${TRACE}-b7ad6b7169203331-01`,
  `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
  `00-${TRACE}-b7ad6b7169203331`,
  `${CLIENTS}x`,
  undefined,
  12,
])("%s is no traceparent", (text) => {
  expect(partsOf(text)).toBeUndefined();
});

test("a traceparent of a later version may be longer", () => {
  expect(partsOf(`01-${TRACE}-b7ad6b7169203331-01-more`)).toEqual({
    traceId: TRACE,
    spanId: "b7ad6b7169203331",
    flags: 1,
  });
});
