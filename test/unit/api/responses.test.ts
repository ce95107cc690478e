import { expect, test } from "vitest";
import { jsonBody } from "../../../src/api/responses.ts";
import { listOf } from "../../../src/resources/common.ts";

const list = (count: number, length: number) =>
  listOf(
    Array.from({ length: count }, (_, index) => ({ id: `msg_${index}`, text: 'é"\n'.repeat(length) })),
    true,
  );

test.each([
  ["an object", { id: "thread_1", metadata: {} }],
  ["an empty list", listOf([], false)],
  ["a short list", list(3, 5)],
])("%s is answered whole", (_, body) => {
  expect(jsonBody(body)).toBe(JSON.stringify(body));
});

test("a long list is answered in pieces, between which others get their turn", async () => {
  const body = list(40, 50_000);
  const answer = jsonBody(body);
  if (typeof answer === "string") throw new Error("answered whole");
  let turns = 0;
  let timer = setImmediate(function turn() {
    turns += 1;
    timer = setImmediate(turn);
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of answer) pieces.push(piece);
  clearImmediate(timer);
  expect(Buffer.concat(pieces).toString()).toBe(JSON.stringify(body));
  expect(turns).toBeGreaterThan(30);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2_000_000);
});
