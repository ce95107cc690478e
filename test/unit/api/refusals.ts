/** How refused requests are told, and the words that many of them share (docs/contract.md 5). */
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { validated } from "../../../src/api/validation.ts";
import { ApiError } from "../../../src/resources/errors.ts";

/** What a client sends, and the message, param and code that it gets for it. */
export type Row = [what: string, input: unknown, message: string, param: string, code: string];

function refusal(schema: z.ZodType, input: unknown): ApiError {
  try {
    validated(schema, input);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("the input was accepted");
}

export function expectRefusal(schema: z.ZodType, [, input, message, param, code]: Row) {
  const { status, body } = refusal(schema, input);
  expect({ status, body }).toEqual({
    status: 400,
    body: { error: { message, type: "invalid_request_error", param, code } },
  });
}

export function refuses(name: string, schema: z.ZodType, rows: Row[]) {
  describe(`${name} refuses`, () => {
    for (const row of rows) test(row[0], () => expectRefusal(schema, row));
  });
}

export const long = (length: number) => "x".repeat(length);
export const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key${i}`, "value"]));
export const many = (count: number, value: unknown) => Array.from({ length: count }, () => value);

export const unknownParameter = (name: string): [string, string, string] => [
  `Unknown parameter: '${name}'.`,
  name,
  "unknown_parameter",
];
export const missing = (name: string): [string, string, string] => [
  `Missing required parameter: '${name}'.`,
  name,
  "missing_required_parameter",
];
export const wrongType = (name: string, expected: string, got: string): [string, string, string] => [
  `Invalid type for '${name}': expected ${expected}, but got ${got} instead.`,
  name,
  "invalid_type",
];
export const tooLong = (name: string, maximum: number, length: number): [string, string, string] => [
  `Invalid '${name}': string too long. Expected a string with maximum length ${maximum}, but got a string with length ${length} instead.`,
  name,
  "string_above_max_length",
];
export const arrayTooLong = (name: string, maximum: number, length: number): [string, string, string] => [
  `Invalid '${name}': array too long. Expected an array with maximum length ${maximum}, but got an array with length ${length} instead.`,
  name,
  "array_above_max_length",
];
export const unsupported = (name: string, got: string, supported: string): [string, string, string] => [
  `Invalid value: '${got}'. Supported values are: ${supported}.`,
  name,
  "invalid_value",
];
export const bound = (
  name: string,
  kind: "integer" | "decimal",
  side: "above" | "below",
  limit: number,
  got: number,
): [string, string, string] => [
  `Invalid '${name}': ${kind} ${side} ${side === "above" ? "maximum" : "minimum"} value. Expected a value ${side === "above" ? "<=" : ">="} ${limit}, but got ${got} instead.`,
  name,
  `${kind}_${side}_${side === "above" ? "max" : "min"}_value`,
];
export const emptyString = (name: string): [string, string, string] => [
  `Invalid '${name}': empty string. Expected a string with minimum length 1, but got an empty string instead.`,
  name,
  "empty_string",
];
export const wrongPattern = (name: string): [string, string, string] => [
  `Invalid '${name}': string does not match pattern. Expected a string that matches the pattern '^[A-Za-z0-9_-]+$'.`,
  name,
  "invalid_value",
];
