/** The maxima of requests, by the operations and their schemas. */
import { z } from "zod";
import { operations } from "../../src/api/operations/index.ts";

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
}

/** Bytes of a body, and the operations that take it. */
export function bodyRows(): string[][] {
  const byMaximum = Map.groupBy(
    operations.filter(({ body }) => body !== undefined),
    ({ maxBody }) => maxBody,
  );
  return [...byMaximum]
    .toSorted(([a], [b]) => a - b)
    .map(([maximum, users]) => [written(maximum), users.map(({ name }) => name).join(", ")]);
}

/** Each field with a maximum, and the operations that take it. */
export function fieldRows(): string[][] {
  const users = new Map<string, Set<string>>();
  for (const { name, body } of operations) {
    if (body === undefined) continue;
    const schema = z.toJSONSchema(body, { io: "input", unrepresentable: "any" }) as Schema;
    for (const limit of limitsIn(schema)) users.set(limit, (users.get(limit) ?? new Set()).add(name));
  }
  return [...users]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([limit, names]) => [...limit.split("|"), [...names].join(", ")]);
}

/** `field|maximum`, for the field of that name and all in it; without a name it is a body. */
function limitsIn(schema: Schema, name = ""): string[] {
  const own = [
    ...maximum(name, schema.maxLength, "characters"),
    ...maximum(name, schema.maxItems, "items"),
    ...maximum(name, schema.maxProperties, "pairs"),
  ];
  // A field goes by its own name and that of the object around it.
  const around = name === "" ? "" : `${name.split(".").at(-1)}.`;
  const inside = Object.entries(schema.properties ?? {}).flatMap(([field, each]) => limitsIn(each, around + field));
  const same = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((each) => limitsIn(each, name));
  const values = typeof schema.additionalProperties === "object" ? limitsIn(schema.additionalProperties, name) : [];
  const items = schema.items === undefined ? [] : limitsIn(schema.items, `${name}[]`);
  return [...own, ...inside, ...same, ...values.map((each) => `each of ${each}`), ...items];
}

const maximum = (name: string, most: number | undefined, unit: string) =>
  most === undefined ? [] : [`\`${name}\`|${written(most)} ${most === 1 ? unit.slice(0, -1) : unit}`];

const written = (number: number) => number.toLocaleString("en-US");
