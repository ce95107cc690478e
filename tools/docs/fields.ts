/** Every field of a JSON schema by its path: `tools[].function.name`; a variant of a union as `type: function`. */

type Schema = Record<string, unknown>;

/** Stops at references: what they name is a schema of its own. */
export function fieldPaths(schema: unknown, path = ""): string[] {
  if (!isSchema(schema)) return [];
  const variants = [...list(schema.anyOf), ...list(schema.oneOf)].flatMap((variant) => fieldPaths(variant, path));
  const fields = isSchema(schema.properties)
    ? Object.entries(schema.properties).flatMap(([name, field]) => property(joined(path, name), name, field))
    : [];
  const items = isSchema(schema.items) ? fieldPaths(schema.items, `${path}[]`) : [];
  return [...new Set([...variants, ...fields, ...items])];
}

function property(path: string, name: string, field: unknown): string[] {
  if (name === "type" && isSchema(field) && "const" in field) return [`${path}: ${field.const}`];
  return [path, ...fieldPaths(field, path)];
}

const joined = (path: string, name: string) => (path === "" ? name : `${path}.${name}`);

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
