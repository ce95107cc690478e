/** A JSON schema, as far as this file reads it. */
export interface Schema {
  type?: string | string[];
  const?: unknown;
  default?: unknown;
  enum?: unknown[];
  examples?: unknown[];
  description?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

/** Required fields that lead back to themselves have no finite value: stop rather than overflow. */
const DEEPEST = 12;

const FORMATS: Record<string, string> = {
  date: "2026-01-31",
  time: "12:00:00Z",
  "date-time": "2026-01-31T12:00:00Z",
  duration: "PT1H",
  email: "someone@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  url: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

/** A plausible value of the schema, always the same one: it validates, unless the schema uses `pattern` or the like. */
export function exampleValue(schema: Schema, name = "value"): unknown {
  return exampleOf(schema, name, schema, 0);
}

function exampleOf(given: Schema | boolean, name: string, root: Schema, depth: number): unknown {
  if (typeof given === "boolean" || depth > DEEPEST) return null;
  const schema = resolved(given, root, depth);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  switch (typeOf(schema)) {
    case "object":
      return objectOf(schema, root, depth);
    case "array":
      return Array.from({ length: Math.max(1, schema.minItems ?? 0) }, () =>
        exampleOf(schema.items ?? { type: "string" }, name, root, depth + 1),
      );
    case "integer":
    case "number":
      return numberOf(schema);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return stringOf(schema, name);
  }
}

/** Follows `$ref`, merges `allOf`, and takes the first branch of `anyOf` and `oneOf` that is not null. */
function resolved(schema: Schema, root: Schema, depth: number): Schema {
  if (depth > DEEPEST) return {};
  if (schema.$ref !== undefined) {
    const { $ref, ...siblings } = schema;
    return resolved({ ...lookUp($ref, root), ...siblings }, root, depth + 1);
  }
  if (schema.allOf) {
    const { allOf, ...rest } = schema;
    return allOf.map((part) => resolved(part, root, depth + 1)).reduce(merged, rest);
  }
  const branches = schema.anyOf ?? schema.oneOf;
  const branch = branches?.find((each) => each.type !== "null") ?? branches?.[0];
  if (!branch) return schema;
  const { anyOf: _anyOf, oneOf: _oneOf, ...rest } = schema;
  return merged(rest, resolved(branch, root, depth + 1));
}

function lookUp(reference: string, root: Schema): Schema {
  let found: unknown = root;
  for (const step of reference.split("/").slice(1)) {
    const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined;
  }
  return typeof found === "object" && found !== null ? (found as Schema) : {};
}

function merged(left: Schema, right: Schema): Schema {
  const both: Schema = { ...left, ...right };
  if (left.properties && right.properties) both.properties = { ...left.properties, ...right.properties };
  if (left.required && right.required) both.required = [...new Set([...left.required, ...right.required])];
  return both;
}

function typeOf(schema: Schema): string {
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  const type = types.find((each) => each !== "null") ?? types[0];
  if (type !== undefined) return type;
  if (schema.properties) return "object";
  return schema.items ? "array" : "string";
}

/** The required properties; all of them if the schema requires none, so that the call shows what it could carry. */
function objectOf(schema: Schema, root: Schema, depth: number): Record<string, unknown> {
  const properties = schema.properties ?? {};
  const names = schema.required?.length ? schema.required : depth === 0 ? Object.keys(properties) : [];
  const entries = names.map((name): [string, unknown] => [
    name,
    exampleOf(properties[name] ?? {}, name, root, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

function numberOf(schema: Schema): number {
  const step = schema.multipleOf ?? 1;
  const low = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + step);
  const high = schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : schema.exclusiveMaximum - step);
  const number = Math.min(Math.max(step, low ?? Number.NEGATIVE_INFINITY), high ?? Number.POSITIVE_INFINITY);
  if (schema.multipleOf !== undefined) return Math.ceil(number / step) * step;
  return typeOf(schema) === "integer" ? Math.ceil(number) : number;
}

function stringOf(schema: Schema, name: string): string {
  const text = FORMATS[schema.format ?? ""] ?? exampleInWords(schema.description) ?? `example ${name}`;
  return text.padEnd(schema.minLength ?? 0, "x").slice(0, schema.maxLength);
}

/** "The city, e.g. San Francisco, CA" gives "San Francisco, CA": most hand-written schemas say it like this. */
function exampleInWords(description: string | undefined): string | undefined {
  const found = description?.match(/\be\.g\.,?\s*["'`]?([^"'`.;)\n]{1,60})/i);
  return found?.[1]?.trim() || undefined;
}
