/** Code that a model writes as JSON, shown while it comes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodeStream } from "../../../src/runs/code-stream.ts";

/** What is shown of a text that comes in these pieces, and the code in the end. */
function read(pieces: string[]) {
  const stream = new CodeStream();
  const shown = pieces.map((piece) => stream.push(piece));
  return { shown: shown.join(""), pieces: shown, code: stream.close(pieces.join("")) };
}

/** The text in pieces that end at these places. */
function cut(text: string, places: number[]): string[] {
  const ends = [...places.map((place) => place % (text.length + 1)), text.length].sort((a, b) => a - b);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
}

const code = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom("print(", '"', "'", "\\", "\n", "\\n", "\t", "\u0000", "é", "😀", "\\u00e9", "}", "{", ",")),
);
const places = fc.array(fc.nat(500), { maxLength: 30 });

/** As JSON, with some characters escaped that need not be. */
const escaped = (text: string, isEscaped: (unit: number) => boolean) =>
  JSON.stringify(text).replace(/\\u[0-9a-f]{4}|\\.|[^\\]/gsu, (each) => {
    if (each.startsWith("\\") || each === '"' || !isEscaped(each.charCodeAt(0))) return each;
    return [...Array(each.length).keys()]
      .map((at) => `\\u${each.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join("");
  });

describe("code in a JSON object", () => {
  test("is shown as it is, wherever it is cut and whatever is escaped", () => {
    fc.assert(
      fc.property(code, places, fc.nat(7), fc.constantFrom("code", "input"), (written, cuts, every, key) => {
        const text = Array.isArray(written) ? written.join("") : written;
        const json = `{${JSON.stringify(key)} : ${escaped(text, (unit) => unit % 8 === every)}}`;
        const { shown, code: whole, pieces } = read(cut(json, cuts));
        expect(shown).toBe(text);
        expect(whole).toBe(text);
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
      }),
    );
  });

  test("is found behind other keys, whatever these hold", () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value, { maxKeys: 4 }), places, fc.boolean(), (others, cuts, isSpaced) => {
        const { code: _code, input: _input, ...before } = others as Record<string, unknown>;
        const json = JSON.stringify({ ...before, code: "a = 'b'" }, undefined, isSpaced ? 2 : undefined);
        const { shown, code: whole } = read(cut(json, cuts));
        expect(whole).toBe("a = 'b'");
        expect(shown).toBe("a = 'b'");
      }),
    );
  });

  test("comes character by character", () => {
    const json = JSON.stringify({ code: 'é = "😀"\n' });
    const { pieces } = read([...json]);
    expect(pieces.filter((piece) => piece !== "").join("|")).toBe('é| |=| |"|😀|"|\n');
  });

  test("that breaks off is what was shown of it", () => {
    expect(read(['{"code":"print(1)\\n', "print(2"]).code).toBe("print(1)\nprint(2");
    expect(read(['{"code":"print(1)\\u00']).code).toBe("print(1)");
  });

  test("counts for more than what was shown", () => {
    expect(read(['{"input":"a","code":"b"}'])).toMatchObject({ shown: "a", code: "b" });
    expect(read(['{"code":"a","code":"b"}'])).toMatchObject({ shown: "a", code: "b" });
    expect(read(['{"\\u0063ode":"a"}'])).toMatchObject({ shown: "", code: "a" });
  });

  test.each(["{}", '{"code":null}', '{"script":"x"}', '{"code":{"code":"x"}}', '{"a":{"code":"x"},"b":["code"]}'])(
    "is missing in %s",
    (json) => expect(read([...json])).toMatchObject({ shown: "", code: "" }),
  );

  test("keeps no half of a character", () => {
    expect(read(['{"code":"a\\ud83d"}'])).toMatchObject({ shown: "a", code: "a\ufffd" });
    expect(read(['{"code":"\\ud83d', '\\ude00"}'])).toMatchObject({ shown: "😀", code: "😀" });
  });
});

describe("bare code", () => {
  test("is shown as it comes", () => {
    fc.assert(
      fc.property(code, places, (written, cuts) => {
        const text = `x${Array.isArray(written) ? written.join("") : written}`.toWellFormed();
        expect(read(cut(text, cuts))).toMatchObject({ shown: text, code: text });
      }),
    );
  });

  test.each([
    ['"a".upper()', '"a".upper()'],
    ['"print(1)"', "print(1)"],
    ['{"a": 1}["a"]', '{"a": 1}["a"]'],
    ["  1 + 1", "  1 + 1"],
    ["42", "42"],
    ["", ""],
  ])("%s", (text, expected) => expect(read([...text]).code).toBe(expected));
});
