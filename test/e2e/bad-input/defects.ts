/** All that can be wrong with the value at one place, with what the validator must say of it (docs/contract.md 5). */
import { ABSENT, alternativesOf, isDictionary, type Path, type Place, type Schema, simplest } from "./schema.ts";

export interface Defect {
  what: string;
  body: unknown;
  expected: Complaint;
}

export interface Complaint {
  message: string | RegExp;
  param: string | null;
  code: string | null;
}

/** Names that mean something to JavaScript or to Azure's host, which mixes a body's names into the route's. */
const STRANGE_NAMES = ["nonsense", "__proto__", "constructor", "toString", "Headers", "Query", "thread_id", "a.b", ""];

const SOME_VALUES: unknown[] = [null, true, 7, -1.5, "text", [], {}, [[]], ["text"], { some: "thing" }];

export function defectsAt(place: Place): Defect[] {
  const alternatives = alternativesOf(place.schema);
  return [
    ...missing(place),
    ...wrongTypes(place, alternatives),
    ...alternatives.flatMap((each) => ofSchema(place, each, alternatives)),
  ];
}

/** `content[0].text`; the body itself is called `body`. */
export function nameOf(path: Path): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  return text === "" ? "body" : text.replace(/^\./, "");
}

function defect(place: Place, what: string, value: unknown, expected: Complaint): Defect {
  return { what: `${what} at ${nameOf(place.path)}`, body: place.with(value), expected };
}

function missing(place: Place): Defect[] {
  if (!place.required) return [];
  const param = nameOf(place.path);
  const message = `Missing required parameter: '${param}'.`;
  return [defect(place, "nothing", ABSENT, { message, param, code: "missing_required_parameter" })];
}

function wrongTypes(place: Place, alternatives: Schema[]): Defect[] {
  if (alternatives.some((schema) => schema.type === undefined && schema.const === undefined)) return [];
  const param = nameOf(place.path);
  const accepted = new Set(alternatives.map((schema) => schema.type ?? "string"));
  const names = [
    ...new Set(alternatives.filter(({ type }) => type !== "null").map(({ type }) => nameOfType(String(type)))),
  ];
  const wanted = names.length === 1 ? names[0] : `one of ${names.join(" or ")}`;
  return SOME_VALUES.filter((value) => !accepts(accepted, value)).map((value) => {
    const message = `Invalid type for '${param}': expected ${wanted}, but got ${nameOfValue(value)} instead.`;
    return defect(place, `${JSON.stringify(value)} of a wrong type`, value, { message, param, code: "invalid_type" });
  });
}

function accepts(types: Set<string | string[]>, value: unknown): boolean {
  if (value === null) return types.has("null");
  if (Array.isArray(value)) return types.has("array");
  if (typeof value === "number") return types.has("number") || (types.has("integer") && Number.isInteger(value));
  return types.has(typeof value);
}

const nameOfType = (type: string) =>
  type === "number" ? "a decimal" : `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;

function nameOfValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal";
  return nameOfType(typeof value);
}

/** What is wrong with a value of the right type. */
function ofSchema(place: Place, schema: Schema, alternatives: Schema[]): Defect[] {
  switch (schema.type) {
    case "string":
      return ofString(place, schema, alternatives);
    case "integer":
    case "number":
      return ofNumber(place, schema);
    case "array":
      return ofArray(place, schema);
    case "object":
      return isDictionary(schema) ? ofMetadata(place) : ofObject(place, schema, alternatives);
    default:
      return [];
  }
}

function ofString(place: Place, schema: Schema, alternatives: Schema[]): Defect[] {
  const param = nameOf(place.path);
  if (place.path.at(-1) === "assistant_id") return ofId(place);
  const defects: Defect[] = [];
  const { maxLength: maximum, minLength: minimum, pattern } = schema;
  if (maximum !== undefined) {
    const message =
      `Invalid '${param}': string too long. Expected a string with maximum length ${maximum}, ` +
      `but got a string with length ${maximum + 1} instead.`;
    const expected = { message, param, code: "string_above_max_length" };
    defects.push(defect(place, "too long a text", "x".repeat(maximum + 1), expected));
  }
  if (minimum !== undefined) {
    const message = `Invalid '${param}': empty string. Expected a string with minimum length ${minimum}, but got an empty string instead.`;
    defects.push(defect(place, "an empty text", "", { message, param, code: "empty_string" }));
  }
  if (pattern !== undefined) {
    const message = /^Invalid '.*': string does not match pattern\. /;
    for (const value of ["two words", "naïve", "a/b", "", "a\n"]) {
      defects.push(
        defect(place, `the pattern broken by ${JSON.stringify(value)}`, value, {
          message,
          param,
          code: "invalid_value",
        }),
      );
    }
  }
  return [...defects, ...ofEnum(place, alternatives)];
}

/** Only where a text must be one of a few. */
function ofEnum(place: Place, alternatives: Schema[]): Defect[] {
  const texts = alternatives.filter((schema) => schema.type === "string");
  const values = texts.flatMap((schema) => schema.enum ?? (schema.const === undefined ? [] : [schema.const]));
  if (values.length === 0) return [];
  const isVariant = place.path.at(-1) === "type" && texts.every((schema) => schema.const !== undefined);
  return ["nonsense", "", `${values[0]} `, "__proto__", "x".repeat(100_000)].map((value) => {
    const supported = isVariant
      ? "Supported values? (is|are): .*"
      : `Supported values? (is|are): ${values.map((each) => `'${each}'`).join(",? (and )?")}`;
    const message = new RegExp(`^Invalid value: '${asShown(value)}'\\. ${supported}\\.$`);
    return defect(place, `the unsupported ${JSON.stringify(asShown(value))}`, value, {
      message,
      param: nameOf(place.path),
      code: "invalid_value",
    });
  });
}

const BAD_IDS = [
  "foo",
  "",
  "thread_1",
  "ASST_1",
  " asst_1",
  "a:7",
  "asst_a/b",
  "asst_'",
  'asst_"',
  "asst_%41",
  "asst_a b",
  "asst_é",
  "asst_\u0000",
  "asst_a\n",
  `asst_${"x".repeat(10_000)}`,
];

const ofId = (place: Place) =>
  BAD_IDS.map((value) =>
    defect(place, `the id ${JSON.stringify(value.slice(0, 20))}`, value, notAnId(nameOf(place.path), "asst", value)),
  );

const MAX_ID = 128;

/** A refusal repeats so much of a wrong value, and no more. */
export const asShown = (value: string) => (value.length > 128 ? `${value.slice(0, 128)}…` : value);

/** What is wrong with a text that is no id: its length, its characters, or its beginning. */
export function notAnId(param: string, prefix: string, value: string): Complaint {
  if (value.length > MAX_ID) {
    const message =
      `Invalid '${param}': string too long. Expected a string with maximum length ${MAX_ID}, ` +
      `but got a string with length ${value.length} instead.`;
    return { message, param, code: "string_above_max_length" };
  }
  const rule = /^[\w-]*$/.test(value)
    ? `begins with '${prefix}'`
    : "contains letters, numbers, underscores, or dashes, but this value contained additional characters";
  return { message: `Invalid '${param}': '${value}'. Expected an ID that ${rule}.`, param, code: "invalid_value" };
}

function ofNumber(place: Place, schema: Schema): Defect[] {
  const param = nameOf(place.path);
  const kind = schema.type === "integer" ? "integer" : "decimal";
  const beyond = (value: number, side: "above" | "below", bound: number) => {
    const [extreme, short, sign] = side === "above" ? ["maximum", "max", "<="] : ["minimum", "min", ">="];
    const message = `Invalid '${param}': ${kind} ${side} ${extreme} value. Expected a value ${sign} ${bound}, but got ${value} instead.`;
    return defect(place, `${value}`, value, { message, param, code: `${kind}_${side}_${short}_value` });
  };
  const { minimum, maximum } = schema;
  const defects: Defect[] = [];
  if (minimum !== undefined)
    defects.push(beyond(minimum - 1, "below", minimum), beyond(minimum - 1e6, "below", minimum));
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) {
    defects.push(beyond(maximum + 1, "above", maximum), beyond(maximum + 1e6, "above", maximum));
  }
  return defects;
}

function ofArray(place: Place, schema: Schema): Defect[] {
  const param = nameOf(place.path);
  const { minItems: minimum, maxItems: maximum } = schema;
  const defects: Defect[] = [];
  if (minimum !== undefined) {
    const message = `Invalid '${param}': empty array. Expected an array with minimum length ${minimum}, but got an empty array instead.`;
    defects.push(defect(place, "an empty array", [], { message, param, code: "empty_array" }));
  }
  if (maximum !== undefined) {
    const item = simplest(schema.items ?? {}, {});
    const message =
      `Invalid '${param}': array too long. Expected an array with maximum length ${maximum}, ` +
      `but got an array with length ${maximum + 1} instead.`;
    const items = Array.from({ length: maximum + 1 }, () => item);
    defects.push(defect(place, "too many items", items, { message, param, code: "array_above_max_length" }));
  }
  return defects;
}

/** No object of the API takes names that it does not know, whatever its schema here says (docs/contract.md 2.1). */
function ofObject(place: Place, schema: Schema, alternatives: Schema[]): Defect[] {
  if (schema.properties === undefined) return [];
  const variants = alternatives.filter((each) => each.type === "object");
  const base = simplest(schema, { assistant_id: "asst_none" }) as Record<string, unknown>;
  const defects = STRANGE_NAMES.filter(
    (name) => !(name in (schema.properties ?? {}) && Object.hasOwn(schema.properties ?? {}, name)),
  ).map((name) => {
    const param = nameOf([...place.path, name]);
    const expected = { message: `Unknown parameter: '${param}'.`, param, code: "unknown_parameter" };
    return defect(place, `the unknown ${JSON.stringify(name)}`, { ...base, [name]: "x" }, expected);
  });
  if (variants.length > 1) {
    const param = nameOf([...place.path, "type"]);
    const message = `Missing required parameter: '${param}'.`;
    defects.push(defect(place, "an object of no type", {}, { message, param, code: "missing_required_parameter" }));
  }
  return defects;
}

function ofMetadata(place: Place): Defect[] {
  const param = nameOf(place.path);
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, "v"]));
  return [
    defect(place, "17 pairs", many, {
      message: `Invalid '${param}': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead.`,
      param,
      code: "object_above_max_properties",
    }),
    defect(
      place,
      "too long a name",
      { ["k".repeat(65)]: "v" },
      {
        message: `Invalid '${param}': property name too long. Expected property names with maximum length 64, but got one with length 65 instead.`,
        param,
        code: "property_name_above_max_length",
      },
    ),
  ];
}
