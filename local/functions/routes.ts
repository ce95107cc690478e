// Route templates in the ASP.NET notation, and the order in which the Functions host tries them.

import { type Constraint, parseConstraint } from "./route-constraints.ts";

interface Literal {
  kind: "literal";
  /** In lower case: the host compares without regard to case. */
  text: string;
}

interface Parameter {
  kind: "parameter";
  name: string;
  constraints: Constraint[];
  catchAll: boolean;
  optional: boolean;
  fallback: string | undefined;
}

type Segment = Literal | Parameter;

export interface Route<T> {
  /** Prefix and template, without slashes at either end. */
  template: string;
  segments: Segment[];
  value: T;
}

export type RouteParams = Record<string, string>;

/**
 * Parses a template such as `v1/threads/{id:length(1,64)}/{*rest}` below a prefix. Throws on what we do not support.
 */
export function parseRoute<T>(prefix: string, template: string, value: T): Route<T> {
  const full = [prefix, template].map(withoutSlashes).filter(Boolean).join("/");
  return { template: full, segments: full === "" ? [] : splitTemplate(full).map(parseSegment), value };
}

/** The first route that a path matches, with its parameters; the routes must be in the order of {@link inHostOrder}. */
export function findRoute<T>(routes: Route<T>[], path: string): { route: Route<T>; params: RouteParams } | undefined {
  const parts = splitPath(path);
  for (const route of routes) {
    const params = match(route.segments, parts);
    if (params) return { route, params };
  }
  return undefined;
}

/**
 * Sorts as the host does: by the functions' names, without regard to case (.NET's OrdinalIgnoreCase). How specific a
 * route is does not matter: a catch-all whose function has an early name hides every route behind it, as it does in
 * Azure.
 */
export function inHostOrder<Named extends { name: string }>(functions: readonly Named[]): Named[] {
  const keyed = functions.map((fn) => ({ fn, key: fn.name.toUpperCase() }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ fn }) => fn);
}

function match(segments: Segment[], parts: string[]): RouteParams | undefined {
  const params: RouteParams = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index];
    // An empty segment matches nothing, not even a catch-all that begins there.
    if (part === "") return undefined;
    if (segment.kind === "literal") {
      if (part === undefined || part.toLowerCase() !== segment.text) return undefined;
    } else if (segment.catchAll) {
      const rest = parts.slice(index).join("/") || segment.fallback;
      if (rest !== undefined) params[segment.name] = rest;
      return params;
    } else if (part === undefined) {
      if (segment.fallback !== undefined) params[segment.name] = segment.fallback;
      else if (!segment.optional) return undefined;
    } else {
      for (const allows of segment.constraints) if (!allows(part)) return undefined;
      params[segment.name] = part;
    }
  }
  return parts.length > segments.length ? undefined : params;
}

/** The decoded segments of a path, without the first slash and one at the end. `//v1` begins with an empty segment. */
function splitPath(path: string): string[] {
  const bare = path.replace(/^\//, "").replace(/\/$/, "");
  if (bare === "") return [];
  const parts = bare.split("/");
  return bare.includes("%") ? parts.map(decodeSegment) : parts;
}

/** As Kestrel decodes: what is no encoded UTF-8 stays as it is, and so does an encoded slash. */
function decodeSegment(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded.replace(/%2f/gi, "%252F"));
    } catch {
      return encoded;
    }
  });
}

/** Splits at slashes, but not inside braces: a regex constraint may contain some. */
function splitTemplate(template: string): string[] {
  return template.match(/(?:\{[^}]*(?:\}\}[^}]*)*\}|[^/])+/g) ?? [];
}

function parseSegment(text: string): Segment {
  const parameter = /^\{(\*{0,2})([A-Za-z_]\w*)((?::[^=]+?)*)(?:=([^?]*))?(\?)?\}$/.exec(text);
  if (!parameter) {
    if (/[{}]/.test(text)) throw new Error(`Route segment "${text}" is of a form that this host does not support.`);
    return { kind: "literal", text: text.toLowerCase() };
  }
  const [, stars, name = "", constraints = "", fallback, question] = parameter;
  return {
    kind: "parameter",
    name,
    constraints: splitConstraints(constraints).map(parseConstraint),
    catchAll: stars !== "",
    optional: question === "?",
    fallback,
  };
}

/** Splits `:int:range(1,9)` at the colons that stand outside parentheses. */
function splitConstraints(text: string): string[] {
  return text.split(/:(?![^(]*\))/).filter(Boolean);
}

function withoutSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
