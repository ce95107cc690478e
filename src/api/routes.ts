/**
 * The routes of the app's HTTP functions in the order in which the Functions host tries them: by the functions' names,
 * without regard to case, and the first match wins, however general its route is. (FunctionMetadataManager sorts, and
 * WebJobsRouteBuilder keeps that order: Azure/azure-functions-host, Azure/azure-webjobs-sdk-extensions.)
 */
import type { HttpMethod } from "@azure/functions";

export interface HttpRoute {
  /** of the function */
  name: string;
  methods: HttpMethod[];
  /** a template such as `v1/threads/{thread_id}`; a last segment `{*rest}` matches everything below */
  route: string;
}

/** The names that .NET's OrdinalIgnoreCase puts first come first. */
export function inHostOrder<Named extends { name: string }>(all: readonly Named[]): Named[] {
  const keyed = all.map((each) => ({ each, key: each.name.toUpperCase() }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ each }) => each);
}

/** `wish`, or a name like it that the host tries after all the others. */
export function nameAfter(others: readonly string[], wish: string): string {
  let name = wish;
  while (inHostOrder([...others, name].map((each) => ({ name: each }))).at(-1)?.name !== name) name = `z${name}`;
  return name;
}

/**
 * Returns the routes as they are. Throws if the host would answer a path that one route is for by another, more general
 * one: of two routes that match the same path, the earlier one must be a special case of the later one. Throws as well
 * if a route has what nothing here can judge, such as an optional parameter or a constraint.
 */
export function unshadowed<Route extends HttpRoute>(routes: readonly Route[]): readonly Route[] {
  for (const { name, route } of routes) {
    if (!isUnderstood(route.split("/")))
      throw new Error(`The route of the function "${name}" cannot be judged: ${route}`);
  }
  const ordered = inHostOrder(routes).map((each, place) => {
    const segments = each.route.toLowerCase().split("/");
    return { ...each, place, segments, group: groupOf(segments) };
  });
  // Of ten thousand pairs at each start, few can match the same path.
  const groups = Map.groupBy(ordered, ({ group }) => group);
  for (const first of ordered) {
    const rivals = first.group === ANY ? ordered : [...(groups.get(first.group) ?? []), ...(groups.get(ANY) ?? [])];
    for (const second of rivals) {
      if (second.place <= first.place || !overlap(first.segments, second.segments)) continue;
      if (!first.methods.some((method) => second.methods.includes(method))) continue;
      if (covers(second.segments, first.segments) && !covers(first.segments, second.segments)) continue;
      throw new Error(
        `The function "${second.name}" (${second.route}) is hidden by "${first.name}" (${first.route}), ` +
          "which the host tries first because of its name: rename one of them.",
      );
    }
  }
  return routes;
}

/** Literals, and segments that are a parameter as a whole, the last perhaps a catch-all. */
function isUnderstood(segments: readonly string[]): boolean {
  return segments.every(
    (segment, index) =>
      /^(?:[^{}]+|\{\w+\})$/.test(segment) || (index === segments.length - 1 && /^\{\*\w+\}$/.test(segment)),
  );
}

const isParameter = (segment: string | undefined) => segment?.startsWith("{") ?? false;
const isCatchAll = (segment: string | undefined) => segment?.startsWith("{*") ?? false;

/** Of routes that may match paths of any group. */
const ANY = "";

/** Two routes of different groups have no path in common. */
function groupOf(segments: readonly string[]): string {
  if (isParameter(segments[0]) || isCatchAll(segments.at(-1))) return ANY;
  return `${segments.length}/${segments[0]}`;
}

/** Whether some path matches both. */
function overlap(a: readonly string[], b: readonly string[]): boolean {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const left = a[index];
    const right = b[index];
    if (isCatchAll(left) || isCatchAll(right)) return true;
    if (left === undefined || right === undefined) return false;
    if (left !== right && !isParameter(left) && !isParameter(right)) return false;
  }
  return true;
}

/** Whether every path that matches `special` matches `general`. */
function covers(general: readonly string[], special: readonly string[]): boolean {
  for (let index = 0; index < Math.max(general.length, special.length); index++) {
    const [left, right] = [general[index], special[index]];
    if (isCatchAll(left)) return true;
    if (isCatchAll(right) || left === undefined || right === undefined) return false;
    if (!isParameter(left) && left !== right) return false;
  }
  return true;
}
