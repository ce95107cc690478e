/**
 * JSON can name half of a surrogate pair ("\ud83d", an emoji that a program cut in two), and such a text has no form in
 * UTF-8: many model servers refuse it, and clients in other languages fail when they print it.
 */

/** The value with U+FFFD for every half of a surrogate pair, as encoders of UTF-8 write it. Changes it in place. */
export function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) value[index] = wellFormed(item);
    return value;
  }
  if (typeof value !== "object" || value === null) return value;
  for (const [name, item] of Object.entries(value)) {
    const wanted = name.toWellFormed();
    // Plainly set, a property named __proto__ would be none.
    if (wanted !== name) Reflect.deleteProperty(value, name);
    Object.defineProperty(value, wanted, {
      value: wellFormed(item),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return value;
}
