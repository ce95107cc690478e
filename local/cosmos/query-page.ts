/** What a query is asked, and one page of what it answers. */
import type { Continuation } from "./continuation.ts";
import type { PartitionKey } from "./item.ts";
import type { Interval } from "./ranges.ts";
import type { Parameters } from "./sql/row.ts";

export interface QueryRequest {
  text: string;
  parameters: Parameters;
  /** From the request's header: a whole key, or the start of a hierarchical one. */
  key: PartitionKey | undefined;
  /** Only items whose effective partition key is in it; all unless given. */
  interval?: Interval | undefined;
  /** The request is one of those that an SDK sends to each physical partition and merges. */
  ranged?: boolean;
  pageSize: number;
  continuation: string | undefined;
  /** Answers an aggregate in two parts, the first of half of the rows, as the service may at any time. */
  partial?: boolean;
}

export interface QueryPage {
  documents: string[];
  continuation: string | undefined;
  examined: number;
  bytes: number;
  /** How many values the IN lists of its conditions have. */
  listed: number;
}

/** The page before its continuation is written as text. */
export interface Page {
  documents: string[];
  bytes: number;
  examined: number;
  next: Continuation | undefined;
}
