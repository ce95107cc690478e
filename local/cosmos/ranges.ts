import { badRequest, rangeGone } from "./errors.ts";
import { SPACE } from "./hash.ts";

/** The part of the space of effective partition keys from `min` (inclusive) to `max` (exclusive). */
export interface Interval {
  min: string;
  max: string;
}

/** A physical partition. `parents` are the ranges, oldest first, that it was split from. */
export interface Range extends Interval {
  id: string;
  parents: string[];
}

export const EVERYTHING: Interval = { min: "", max: "FF" };

const DIGITS = 32;

export const contains = ({ min, max }: Interval, key: string) => key >= min && key < max;

export const overlaps = (a: Interval, b: Interval) => a.min < b.max && b.min < a.max;

/** The physical partitions of a container, in the order of the space that they divide. */
export class Ranges {
  #ranges: Range[] = [];
  #nextId = 0;

  constructor(ranges: Range[]) {
    this.replace(ranges);
  }

  replace(ranges: Range[]): void {
    this.#ranges = ranges.toSorted((a, b) => (a.min < b.min ? -1 : 1));
    this.#nextId = 1 + Math.max(...ranges.flatMap(({ id, parents }) => [id, ...parents].map(Number)));
  }

  /** As many ranges of the same width as asked for. */
  static even(count: number): Ranges {
    const edge = (i: number) => hex((SPACE * BigInt(i)) / BigInt(count) - 1n);
    return new Ranges(
      Array.from({ length: count }, (_, i) => ({
        id: String(i),
        min: i === 0 ? EVERYTHING.min : edge(i),
        max: i === count - 1 ? EVERYTHING.max : edge(i + 1),
        parents: [],
      })),
    );
  }

  /** One physical partition, never split. */
  get isWhole(): boolean {
    return this.#ranges.length === 1 && this.#ranges[0]?.id === "0";
  }

  get size(): number {
    return this.#ranges.length;
  }

  all(): readonly Range[] {
    return this.#ranges;
  }

  /** The range that holds an effective partition key. */
  holding(key: string): Range {
    const [only] = this.#ranges;
    if (only && this.#ranges.length === 1) return only;
    const found = this.#ranges.find((range) => contains(range, key));
    if (!found) throw new Error(`No partition key range holds ${key}.`);
    return found;
  }

  /**
   * Throws 410 with substatus 1002 for a range that was split or never existed: the SDKs then read the ranges again.
   */
  byId(id: string): Range {
    const range = this.#ranges.find((candidate) => candidate.id === id);
    if (!range) throw rangeGone(id);
    return range;
  }

  /** All ranges, one of them halved under new ids, as the service does when a physical partition is full or busy. */
  halved(id: string): Range[] {
    const range = this.#ranges.find((candidate) => candidate.id === id);
    if (!range) throw badRequest(`There is no partition key range '${id}'.`);
    const middle = hex((position(range.min) + position(range.max)) / 2n);
    if (middle <= range.min || middle >= range.max) throw badRequest("The range is too small to be split.");
    const parents = [...range.parents, range.id];
    const halves = [
      { id: String(this.#nextId), min: range.min, max: middle, parents },
      { id: String(this.#nextId + 1), min: middle, max: range.max, parents },
    ];
    return this.#ranges.toSpliced(this.#ranges.indexOf(range), 1, ...halves);
  }
}

const hex = (position: bigint) => position.toString(16).toUpperCase().padStart(DIGITS, "0");

const position = (edge: string) =>
  edge === EVERYTHING.min ? 0n : edge === EVERYTHING.max ? SPACE : BigInt(`0x${edge.slice(0, DIGITS)}`);
