/**
 * Turns what zod found wrong into the words of the original's validator (docs/contract.md 5): the first problem only,
 * with the parameter's path. Clients show these texts to people and match on them.
 */
import type { z } from "zod";
import { MAX_METADATA_KEY } from "../resources/common.ts";
import { type ApiError, invalidParameter, shown, tooLarge } from "../resources/errors.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Only the first problem is told: a body may have tens of thousands, and each takes its time to be found and kept. */
const FIRST_PROBLEM: z.core.ParseContextInternal<Issue> = { abortEarly: true };

/** The parsed value, or an `ApiError` 400 that names the parameter. */
export function validated<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input, FIRST_PROBLEM);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new Error("zod refused a value without an issue");
  throw toApiError(issue, input, []);
}

function toApiError(issue: Issue, root: unknown, base: Path): ApiError {
  const path = [...base, ...issue.path];
  const param = formatPath(path);
  const got = asRead(valueAt(root, path), issue);
  switch (issue.code) {
    case "invalid_type":
      return wrongType(param, got, [numberName(issue.expected, param)]);
    case "unrecognized_keys": {
      const name = formatPath([...path, issue.keys[0] ?? ""]);
      return invalidParameter(`Unknown parameter: '${name}'.`, name, "unknown_parameter");
    }
    case "invalid_value":
      if (typeof got !== "string") return wrongType(param, got, ["a string"]);
      return unsupportedValue(param, got, issue.values.map(String));
    case "invalid_union":
      return wrongVariant(issue, root, path);
    case "invalid_key":
      return nameTooLong(formatPath(path.slice(0, -1)), String(path.at(-1)));
    case "too_big":
      return outOfBounds("above", param, got, Number(issue.maximum), written(root, path));
    case "too_small":
      return outOfBounds("below", param, got, Number(issue.minimum), written(root, path));
    case "invalid_format":
      return wrongFormat(param, issue.format === "regex" ? issue.pattern : undefined);
    case "custom":
      return customProblem(issue, param, got);
    default:
      return invalidParameter(`Invalid value for '${param}'.`, param, "invalid_value");
  }
}

/** Query parameters are texts: what is wrong with a number is told about the number. */
function asRead(value: unknown, issue: Issue): unknown {
  const bounded =
    (issue.code === "too_big" || issue.code === "too_small") && (issue.origin === "number" || issue.origin === "int");
  const wantsInteger = issue.code === "invalid_type" && issue.expected === "int";
  return typeof value === "string" && (bounded || wantsInteger) ? Number(value) : value;
}

/** A number of a query is still the text that the client wrote: it may be longer than a number can be exact. */
const written = (root: unknown, path: Path) => shown(String(valueAt(root, path)));

/** For what is no number at all, zod expects a "number" also where only an integer will do. */
const numberName = (expected: string, param: string) =>
  expected === "number" && !DECIMALS.test(param) ? "an integer" : typeName(expected);

/** A value that is none of a union's variants: say what is wrong with the variant that it was meant to be. */
function wrongVariant(issue: Extract<Issue, { code: "invalid_union" }>, root: unknown, path: Path): ApiError {
  const param = formatPath(path);
  const got = valueAt(root, path);
  if ("discriminator" in issue && typeof issue.discriminator === "string") {
    return wrongDiscriminator(issue, root, path);
  }
  const meant = issue.errors.find((errors) => errors[0] !== undefined && !refusesTheKind(errors[0], got));
  const first = meant?.[0];
  if (first !== undefined) return toApiError(first, root, path);
  return wrongType(param, got, issue.errors.map((errors) => expectedName(errors[0])).filter(unique));
}

function wrongDiscriminator(issue: Extract<Issue, { code: "invalid_union" }>, root: unknown, path: Path): ApiError {
  const param = formatPath(path);
  const got = valueAt(root, path);
  const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
  if (got === undefined) return missing(param);
  if (typeof got !== "string") return wrongType(param, got, ["a string"]);
  return unsupportedValue(param, got, options);
}

/** Whether a variant was refused as a whole: it takes another kind of value than the one given. */
function refusesTheKind(issue: Issue, got: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_type") return true;
  return issue.code === "invalid_value" && typeof got !== "string";
}

function expectedName(issue: Issue | undefined): string {
  if (issue?.code === "invalid_type") return typeName(issue.expected);
  return "a string";
}

function missing(param: string): ApiError {
  return invalidParameter(`Missing required parameter: '${param}'.`, param, "missing_required_parameter");
}

function wrongType(param: string, got: unknown, expected: string[]): ApiError {
  if (got === undefined) return missing(param);
  const wanted = expected.length === 1 ? expected[0] : `one of ${expected.join(" or ")}`;
  return invalidParameter(
    `Invalid type for '${param}': expected ${wanted}, but got ${kindOf(got)} instead.`,
    param,
    "invalid_type",
  );
}

function unsupportedValue(param: string, got: string, supported: string[]): ApiError {
  const plural = supported.length > 1;
  const values = `Supported value${plural ? "s are" : " is"}: ${inWords(supported)}.`;
  return invalidParameter(`Invalid value: '${shown(got)}'. ${values}`, param, "invalid_value");
}

/** `asWritten`: the number as the client wrote it, as far as that is known. */
function outOfBounds(side: "above" | "below", param: string, got: unknown, bound: number, asWritten: string): ApiError {
  const above = side === "above";
  const extreme = above ? "maximum" : "minimum";
  const limit = above ? "max" : "min";
  if (typeof got === "number") {
    const kind = Number.isInteger(bound) && !isFraction(got) && !DECIMALS.test(param) ? "integer" : "decimal";
    return invalidParameter(
      `Invalid '${param}': ${kind} ${side} ${extreme} value. ` +
        `Expected a value ${above ? "<=" : ">="} ${bound}, but got ${asWritten} instead.`,
      param,
      `${kind}_${side}_${limit}_value`,
    );
  }
  const kind = Array.isArray(got) ? "array" : "string";
  const length = typeof got === "string" ? charactersOf(got) : Array.isArray(got) ? got.length : 0;
  const article = kind === "array" ? "an array" : "a string";
  if (length === 0) {
    return invalidParameter(
      `Invalid '${param}': empty ${kind}. Expected ${article} with minimum length ${bound}, ` +
        `but got an empty ${kind} instead.`,
      param,
      `empty_${kind}`,
    );
  }
  return invalidParameter(
    `Invalid '${param}': ${kind} too ${above ? "long" : "short"}. ` +
      `Expected ${article} with ${extreme} length ${bound}, but got ${article} with length ${length} instead.`,
    param,
    `${kind}_${side}_${limit}_length`,
  );
}

const isFraction = (value: number) => Number.isFinite(value) && !Number.isInteger(value);

/** Two units of JavaScript's that are one character of Unicode. */
const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/**
 * Characters of Unicode, as zod counts a text against its bound. The text may have 8 MB: most have no pairs, which a
 * search finds out in a fraction of the time that it takes to count.
 */
function charactersOf(text: string): number {
  if (!PAIR.test(text)) return text.length;
  let count = text.length;
  for (let at = 0; at < text.length; at++) {
    // A character that has two units begins here.
    if ((text.codePointAt(at) ?? 0) > 0xffff) {
      count -= 1;
      at += 1;
    }
  }
  return count;
}

/** Parameters that take decimals: a bound that they break is told as one, also when both happen to be whole. */
const DECIMALS = /(^|\.)(temperature|top_p|score_threshold|embedding_weight|text_weight)$/;

/** The only rule for property names is the length of those of metadata. */
function nameTooLong(param: string, name: string): ApiError {
  return invalidParameter(
    `Invalid '${param}': property name too long. Expected property names with maximum length ${MAX_METADATA_KEY}, ` +
      `but got one with length ${name.length} instead.`,
    param,
    "property_name_above_max_length",
  );
}

function wrongFormat(param: string, pattern: string | undefined): ApiError {
  return invalidParameter(
    pattern === undefined
      ? `Invalid '${param}': string does not have the expected format.`
      : `Invalid '${param}': string does not match pattern. Expected a string that matches the pattern ` +
          `'${pattern.replace(/^\/|\/[a-z]*$/g, "")}'.`,
    param,
    "invalid_value",
  );
}

function customProblem(issue: Extract<Issue, { code: "custom" }>, param: string, got: unknown): ApiError {
  const params: Record<string, unknown> = issue.params ?? {};
  if (params.kind === "too_many_properties") {
    const count = Object.keys(got ?? {}).length;
    return invalidParameter(
      `Invalid '${param}': too many properties. Expected an object with at most ${params.maximum} properties, ` +
        `but got an object with ${count} properties instead.`,
      param,
      "object_above_max_properties",
    );
  }
  if (params.kind === "reserved_name") {
    const text = `Invalid '${param}': a property cannot be named '${params.name}'.`;
    return invalidParameter(text, `${param}.${params.name}`, "invalid_value");
  }
  if (params.kind === "overlap_too_large") {
    const text = `Invalid '${param}': must be at most half of 'max_chunk_size_tokens'.`;
    return invalidParameter(text, param, "invalid_value");
  }
  if (params.kind === "too_many_levels") {
    const text = `Invalid '${param}': nested too deeply. Expected at most ${params.maximum} levels of filters.`;
    return invalidParameter(text, param, "invalid_value");
  }
  if (params.kind === "too_many_values") {
    const text = `Invalid '${param}': too long. Expected at most ${params.maximum} values of all comparisons together.`;
    return invalidParameter(text, param, "invalid_value");
  }
  if (params.kind === "no_weight") {
    return invalidParameter(`Invalid '${param}': one of the weights must be more than 0.`, param, "invalid_value");
  }
  if (params.kind === "not_a_url") {
    const text = `Invalid '${param}'. Expected a valid URL, but got a value with an invalid format.`;
    return invalidParameter(text, param, "invalid_value");
  }
  if (params.kind === "too_large") return tooLarge(param, Number(params.bytes), Number(params.maximum));
  if (params.kind === "not_an_id") {
    const wrong = String(got);
    const rule = /^[A-Za-z0-9_-]*$/.test(wrong)
      ? `begins with '${params.prefix}'`
      : "contains letters, numbers, underscores, or dashes, but this value contained additional characters";
    return invalidParameter(
      `Invalid '${param}': '${shown(wrong)}'. Expected an ID that ${rule}.`,
      param,
      "invalid_value",
    );
  }
  return invalidParameter(issue.message, param, "invalid_value");
}

/** `additional_messages[0].content`; the request body itself is called `body`. Long names are cut. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? shown(String(part)) : `.${shown(String(part))}`;
  }
  return path.length === 0 ? "body" : text;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

const TYPE_NAMES: Record<string, string> = {
  string: "a string",
  number: "a decimal",
  int: "an integer",
  boolean: "a boolean",
  object: "an object",
  record: "an object",
  array: "an array",
  null: "null",
};

const typeName = (expected: string) => TYPE_NAMES[expected] ?? `a ${expected}`;

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  // JSON can write numbers that are too large for any type: 1e400.
  if (typeof value === "number" && !Number.isFinite(value)) return "an infinite number";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal";
  return TYPE_NAMES[typeof value] ?? `a ${typeof value}`;
}

/** 'a', 'b', and 'c': with the comma before the last of three or more. */
function inWords(values: string[]): string {
  const quoted = values.map((value) => `'${value}'`);
  if (quoted.length <= 2) return quoted.join(" and ");
  return `${quoted.slice(0, -1).join(", ")}, and ${quoted.at(-1)}`;
}

const unique = <T>(value: T, index: number, all: T[]) => all.indexOf(value) === index;
