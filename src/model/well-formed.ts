/**
 * Half a surrogate pair is no character. The API stores it as it came, as the original did, but in JSON it is an escape
 * that many servers refuse: the model gets U+FFFD in its place.
 */

/** The same value if there is nothing to replace, else a copy. */
export function wellFormed<T>(value: T): T {
  return copyOf(value) as T;
}

function copyOf(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items: unknown[] = value.map(copyOf);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  let isSame = true;
  const fields = Object.entries(value).map(([name, field]): [string, unknown] => {
    const copied: [string, unknown] = [name.toWellFormed(), copyOf(field)];
    isSame &&= copied[0] === name && copied[1] === field;
    return copied;
  });
  return isSame ? value : Object.fromEntries(fields);
}
