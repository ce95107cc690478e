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

/** Parses a template such as `v1/threads/{id:length(1,64)}/{*rest}` below a prefix. Throws on what we do not support. */
export function parseRoute<T>(prefix: string, template: string, value: T): Route<T> {
  const full = [prefix, template].map(withoutSlashes).filter(Boolean).join("/");
  return { template: full, segments: full === "" ? [] : splitTemplate(full).map(parseSegment), value };
}

/** The first route that a path matches, with its parameters; the routes must be in the order of {@link inHostOrder}. */
export function findRoute<T>(routes: Route<T>[], path: string): { route: Route<T>; params: RouteParams } | undefined {
  const parts = splitPath(path);
  if (!parts) return undefined;
  for (const route of routes) {
    const params = match(route.segments, parts);
    if (params) return { route, params };
  }
  return undefined;
}

/** Sorts as the host's HTTP extension does: literals before parameters, more constraints first, longer first. */
export function inHostOrder<T>(routes: Route<T>[]): Route<T>[] {
  return routes.toSorted((a, b) => compareSegments(a.segments, b.segments));
}

function compareSegments(a: Segment[], b: Segment[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (!right) return -1;
    const order = compareSegment(left, right);
    if (order !== 0) return order;
  }
  return b.length > a.length ? 1 : 0;
}

function compareSegment(a: Segment, b: Segment): number {
  if (a.kind !== b.kind) return a.kind === "literal" ? -1 : 1;
  if (a.kind === "literal" && b.kind === "literal") return a.text.localeCompare(b.text);
  if (a.kind === "parameter" && b.kind === "parameter") {
    // A parameter that swallows the rest of the path comes after one that takes a single segment.
    return Number(a.catchAll) - Number(b.catchAll) || b.constraints.length - a.constraints.length;
  }
  return 0;
}

function match(segments: Segment[], parts: string[]): RouteParams | undefined {
  const params: RouteParams = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index];
    if (segment.kind === "literal") {
      if (part === undefined || part.toLowerCase() !== segment.text) return undefined;
    } else if (segment.catchAll) {
      const rest = parts.slice(index).join("/") || segment.fallback;
      if (rest !== undefined) params[segment.name] = rest;
      return params;
    } else if (part === undefined || part === "") {
      if (segment.fallback !== undefined) params[segment.name] = segment.fallback;
      else if (!segment.optional) return undefined;
    } else {
      for (const allows of segment.constraints) if (!allows(part)) return undefined;
      params[segment.name] = part;
    }
  }
  return parts.length > segments.length ? undefined : params;
}

/** The decoded segments of a path; undefined if it is not well encoded. An encoded slash stays encoded, as in ASP.NET. */
function splitPath(path: string): string[] | undefined {
  const bare = withoutSlashes(path);
  if (bare === "") return [];
  const parts = bare.split("/");
  if (!bare.includes("%")) return parts;
  try {
    return parts.map((part) => decodeURIComponent(part.replace(/%2f/gi, "%252F")));
  } catch {
    return undefined;
  }
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
