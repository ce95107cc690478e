/** What a measurement is, and its outcome: data that the console, the JSON file and the documentation all show. */
import type { StackOptions } from "../../local/stack.ts";
import type { Subject } from "./subject.ts";

export type Cell = string | number;

export interface Table {
  title: string;
  /** The first column names the rows. */
  columns: string[];
  rows: Cell[][];
}

export interface Goal {
  text: string;
  measured: number;
  unit: string;
  bound: number;
  /** Whether `bound` is the most or the least that is wanted. */
  kind: "at most" | "at least";
}

/** A plot of lines; each file in docs/ shows one. */
export interface Figure {
  file: string;
  title: string;
  x: { label: string; scale: "linear" | "log" };
  y: { label: string };
  lines: { name: string; points: [x: number, y: number][] }[];
}

export interface Outcome {
  tables: Table[];
  goals: Goal[];
  figures: Figure[];
  /** What a reader must know to understand the figures. */
  notes: string[];
}

export interface Bench {
  /** Few repetitions: shows whether everything works, but its figures cannot be trusted. */
  quick: boolean;
  /** The folder of the app; this project if absent. */
  appDir: string | undefined;
  /** Whether to record CPU profiles where the measurement can. */
  profile: boolean;
  /** Whether the app is one that is deployed somewhere, rather than the local stack. */
  isRemote: boolean;
  /** Does the work on a fresh local stack, or on the deployed app. */
  onApp<Result>(options: StackOptions, work: (subject: Subject) => Promise<Result>): Promise<Result>;
  /** Tells what is going on. */
  say(text: string): void;
}

export interface Measurement {
  name: string;
  title: string;
  /** Whether it says something about an app that is deployed somewhere. */
  worksRemotely: boolean;
  measure(bench: Bench): Promise<Outcome>;
}

export function isMet({ measured, bound, kind }: Goal): boolean {
  return kind === "at most" ? measured <= bound : measured >= bound;
}
