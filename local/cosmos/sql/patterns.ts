import { badRequest, unsupported } from "../errors.ts";

/** LIKE patterns and REGEXMATCH, compiled once; patterns come from queries, so the cache is bounded. */
const compiled = new Map<string, RegExp>();
const MAX_COMPILED = 500;

function remember(key: string, make: () => RegExp): RegExp {
  const known = compiled.get(key);
  if (known) return known;
  const made = make();
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(key, made);
  return made;
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** `%` any text, `_` one character, `[a-f]` and `[^a-f]` sets; the escape character makes the next one literal. */
export function likePattern(pattern: string, escapeWith: string | undefined): RegExp {
  return remember(
    `like\0${escapeWith ?? ""}\0${pattern}`,
    () => new RegExp(`^${likeSource(pattern, escapeWith)}$`, "u"),
  );
}

function likeSource(pattern: string, escapeWith: string | undefined): string {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i);
    const setEnd = character === "[" ? pattern.indexOf("]", i) : -1;
    if (escapeWith !== undefined && character === escapeWith) source += literal(pattern.charAt(++i));
    else if (character === "%") source += "[\\s\\S]*";
    else if (character === "_") source += "[\\s\\S]";
    else if (setEnd > i + 1) {
      source += likeSet(pattern.slice(i + 1, setEnd));
      i = setEnd;
    } else source += literal(character);
  }
  return source;
}

function likeSet(inner: string): string {
  const negated = inner.startsWith("^");
  const members = (negated ? inner.slice(1) : inner).replace(/[\\[\]^]/g, "\\$&");
  return `[${negated ? "^" : ""}${members}]`;
}

export function regularExpression(pattern: string, modifiers: string): RegExp {
  if (/[^msi]/.test(modifiers)) throw unsupported(`RegexMatch with the modifiers '${modifiers}'`);
  return remember(`regex\0${modifiers}\0${pattern}`, () => {
    try {
      return new RegExp(pattern, modifiers);
    } catch {
      throw badRequest(`RegexMatch: '${pattern}' is not a valid regular expression.`);
    }
  });
}
