import type { IncomingHttpHeaders } from "node:http";
import type { Container } from "./container.ts";
import { rangeGone } from "./errors.ts";
import { header, partitionKeyHeader } from "./headers.ts";
import { EVERYTHING, type Interval, overlaps, type Range } from "./ranges.ts";

export const RANGE_ID = "x-ms-documentdb-partitionkeyrangeid";

/**
 * The part of a container that the headers ask for: a physical partition by its id, a part of one by effective
 * partition keys, or undefined for whatever else the request says. Throws 410/1002 for a range that is no more.
 */
export function targetInterval(container: Container, headers: IncomingHttpHeaders): Interval | undefined {
  const id = header(headers, RANGE_ID);
  const start = header(headers, "x-ms-start-epk")?.toUpperCase() ?? "";
  const end = header(headers, "x-ms-end-epk")?.toUpperCase() ?? EVERYTHING.max;
  const asked = { min: start, max: end };
  const narrowed = start !== EVERYTHING.min || end !== EVERYTHING.max;
  if (id === undefined) return narrowed ? asked : undefined;
  const range = container.ranges.byId(id);
  if (!narrowed) return container.ranges.size === 1 ? undefined : range;
  if (!overlaps(range, asked)) throw rangeGone(id);
  return { min: asked.min > range.min ? asked.min : range.min, max: asked.max < range.max ? asked.max : range.max };
}

/** The physical partition whose request units a request uses. */
export function targetRange(container: Container, headers: IncomingHttpHeaders): Range {
  if (container.ranges.size === 1 && header(headers, RANGE_ID) === undefined) {
    return container.ranges.holding(EVERYTHING.min);
  }
  const key = partitionKeyHeader(headers);
  if (key && key.values.length > 0) return container.rangeOf(key);
  return container.ranges.holding(targetInterval(container, headers)?.min ?? EVERYTHING.min);
}
