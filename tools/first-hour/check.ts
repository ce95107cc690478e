/** What one check of the first hour is. */
import type { Place } from "./place.ts";

/** `ok` is absent where a check could not be done here: `got` says why, and what to do by hand. */
export interface Outcome {
  got: string;
  ok?: boolean;
}

export interface Check {
  number: number;
  title: string;
  /** what the app relies on */
  why: string;
  expected: string;
  /** what the local servers cannot show, and the operator should look at */
  onlyOnAzure?: string;
  /** it creates something, costs money or loads the app: done only if the operator allows it */
  writes: boolean;
  run(place: Place): Promise<Outcome>;
}

/** What differs from what was expected, or nothing: then everything was as expected. */
export const outcomeOf = (problems: string[], got: string): Outcome =>
  problems.length === 0 ? { got, ok: true } : { got: problems.join("; "), ok: false };
