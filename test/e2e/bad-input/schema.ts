/**
 * Walks the JSON schema of a request: every place where a value stands, in the objects, arrays and variants of unions,
 * each with a way to make a request that is right but for the value at that place.
 */
import { z } from "zod";

export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  /** false: no others; a schema: a dictionary */
  additionalProperties?: boolean | Schema;
  items?: Schema;
  enum?: string[];
  const?: string;
  anyOf?: Schema[];
  oneOf?: Schema[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
}

export const schemaOf = (type: z.ZodType): Schema =>
  z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Schema;

export type Path = (string | number)[];

/** What stands for a value that is left out. */
export const ABSENT = Symbol("absent");

export interface Place {
  path: Path;
  schema: Schema;
  /** whether the object around it must have it */
  required: boolean;
  /** a request with this value at the place, and everything else right */
  with(value: unknown): unknown;
}

/** Values that are right at certain names, because there is something of that id. */
export type Known = Record<string, unknown>;

export function placesOf(schema: Schema, known: Known): Place[] {
  return below({ path: [], schema, required: false, with: (value) => value }, known);
}

/** The place itself and all in it. */
function below(place: Place, known: Known): Place[] {
  return [place, ...alternativesOf(place.schema).flatMap((schema) => inside(place, schema, known))];
}

function inside(place: Place, schema: Schema, known: Known): Place[] {
  if (schema.properties !== undefined) return inObject(place, schema, known);
  if (schema.items !== undefined) return inArray(place, schema.items, schema.maxItems ?? 100, known);
  if (isDictionary(schema)) return inDictionary(place, schema.additionalProperties, known);
  return [];
}

function inObject(place: Place, schema: Schema, known: Known): Place[] {
  const around = simplest(schema, known) as Record<string, unknown>;
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const { [name]: _replaced, ...others } = around;
    return below(
      {
        path: [...place.path, name],
        schema: property,
        required: schema.required?.includes(name) === true,
        with: (value) => place.with(value === ABSENT ? others : { ...others, [name]: value }),
      },
      known,
    );
  });
}

/** The second of two items, if there may be two: an index that is not zero shows whether it is counted. */
function inArray(place: Place, items: Schema, maximum: number, known: Known): Place[] {
  const before = maximum < 2 ? [] : [simplest(items, known)];
  const path = [...place.path, before.length];
  return below({ path, schema: items, required: false, with: (value) => place.with([...before, value]) }, known);
}

function inDictionary(place: Place, values: Schema, known: Known): Place[] {
  return below(
    { path: [...place.path, "some"], schema: values, required: false, with: (value) => place.with({ some: value }) },
    known,
  );
}

export function isDictionary(schema: Schema): schema is Schema & { additionalProperties: Schema } {
  const { additionalProperties: values } = schema;
  return typeof values === "object" && Object.keys(values).length > 0;
}

/** The variants of a schema, none of them a union itself. */
export function alternativesOf(schema: Schema): Schema[] {
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return union.flatMap(alternativesOf);
  if (Array.isArray(schema.type)) return schema.type.map((type) => ({ ...schema, type }));
  return isRefusedAlways(schema) ? [] : [schema];
}

/** An image by its file: the schema has it, and no file has an id that is made up. */
const isRefusedAlways = ({ properties }: Schema) => properties?.type?.const === "image_file";

/** The smallest value that a schema allows. */
export function simplest(schema: Schema, known: Known, name = ""): unknown {
  if (name in known) return known[name];
  if (name === "url") return "https://pictures.example/cat.png";
  const [first = {}] = alternativesOf(schema);
  if (first.const !== undefined) return first.const;
  if (first.enum !== undefined) return first.enum[0];
  switch (first.type) {
    case "string":
      return "text";
    case "integer":
    case "number":
      return first.minimum ?? 0;
    case "boolean":
      return false;
    case "array":
      return Array.from({ length: first.minItems ?? 0 }, () => simplest(first.items ?? {}, known));
    case "object":
      return simplestObject(first, known);
    default:
      return null;
  }
}

function simplestObject(schema: Schema, known: Known): Record<string, unknown> {
  const required = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
  return Object.fromEntries(required.map(([name, property]) => [name, simplest(property, known, name)]));
}
