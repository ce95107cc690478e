import { describe, expect, test } from "vitest";
import { assertStorable, assertStorableTogether, sizeOf } from "../../../src/resources/limits.ts";
import { CostMeter } from "../../../src/store/cost.ts";
import { messageDoc, runIn } from "../documents.ts";

const text = (length: number, letter = "x") => ({ type: "text" as const, text: letter.repeat(length) });

describe("what the store takes", () => {
  test("is the longest text that a message may have, in any language", () => {
    expect(() => assertStorable(messageDoc({ content: "日".repeat(256_000) }), "content")).not.toThrow();
  });

  test("is not any number of such texts: the client reads what is too large, and by how much", () => {
    const doc = messageDoc({ content: Array.from({ length: 4 }, () => text(256_000)) });
    const bytes = sizeOf(doc);
    expect(bytes).toBeGreaterThan(1_024_000);
    expect(() => assertStorable(doc, "content")).toThrow(
      `Invalid 'content': too large. Expected at most 1000000 bytes, but got ${bytes} bytes instead.`,
    );
    expect(() => assertStorable(doc, null)).toThrow("Invalid 'body': too large.");
  });

  test("is bounded for messages that are created in one go with their run", () => {
    const docs = (count: number) => Array.from({ length: count }, () => messageDoc({ content: "x".repeat(250_000) }));
    expect(() => assertStorableTogether(docs(3), "additional_messages")).not.toThrow();
    expect(() => assertStorableTogether(docs(4), "additional_messages")).toThrow("Invalid 'additional_messages': too");
    expect(() => assertStorableTogether([], "additional_messages")).not.toThrow();
  });

  test("is measured in bytes of JSON", () => {
    expect(sizeOf({ a: "é" })).toBe(10);
    expect(sizeOf(runIn("queued"))).toBe(Buffer.byteLength(JSON.stringify(runIn("queued"))));
  });
});

test("costs are added up by operation, and a report stands still", () => {
  const meter = new CostMeter();
  meter.add("docs.read", 1);
  const before = meter.report();
  meter.add("docs.read", 1.5);
  meter.add("docs.batch", 20);
  expect(before).toEqual({ "docs.read": { requests: 1, units: 1 } });
  expect(meter.report()).toEqual({
    "docs.read": { requests: 2, units: 2.5 },
    "docs.batch": { requests: 1, units: 20 },
  });
});
