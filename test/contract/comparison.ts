import type { Counterparts } from "./counterparts.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import type { Answer } from "./recordings.ts";
import { foldDeltas } from "./server-events.ts";

/** Something in an answer that is not as recorded. */
export interface Difference {
  kind: "missing" | "unexpected" | "different";
  /** from the root of the answer: `data[0].usage.total_tokens` */
  path: string;
  /** the API's object that it is in, innermost, and the path from there */
  within: { recorded: JsonObject; ours: JsonObject };
  field: string;
  /** undefined if there is none */
  recorded: Json | undefined;
  ours: Json | undefined;
}

interface Place {
  path: string;
  key: string;
  within: Difference["within"];
  field: string;
}

/**
 * Compares everything but ids, for which counterparts must agree, and times, of which only matters whether there is one.
 * What the model said and used is compared, too: our model was told to say the same.
 */
export class Comparison {
  readonly #counterparts: Counterparts;
  /** recorded ids of objects of which only the id is compared */
  readonly #standIns: ReadonlySet<string>;
  #differences: Difference[] = [];

  constructor(counterparts: Counterparts, standIns: ReadonlySet<string>) {
    this.#counterparts = counterparts;
    this.#standIns = standIns;
  }

  compare(recorded: Answer, ours: Answer): Difference[] {
    this.#differences = [];
    const root: Place = { path: "", key: "", within: { recorded: {}, ours: {} }, field: "" };
    const head = ({ status, contentType }: Answer) => ({ status, contentType: contentType.toLowerCase() });
    this.#value(head(recorded), head(ours), root);
    if (recorded.events === undefined || ours.events === undefined) this.#value(recorded.json, ours.json, root);
    else this.#streams(foldDeltas(recorded.events), foldDeltas(ours.events), root);
    return this.#differences;
  }

  /** The events in their order; only if that is right, what they tell. */
  #streams(recorded: ReturnType<typeof foldDeltas>, ours: ReturnType<typeof foldDeltas>, root: Place): void {
    const names = { recorded: recorded.map(({ event }) => event), ours: ours.map(({ event }) => event) };
    if (names.recorded.join() !== names.ours.join()) {
      this.#report("different", names.recorded, names.ours, { ...root, path: "events" });
      return;
    }
    for (const [index, { event, data }] of recorded.entries()) {
      this.#value(data, ours[index]?.data ?? null, { ...root, path: `${event}#${index}` });
    }
  }

  #value(recorded: Json, ours: Json, place: Place): void {
    if (isObject(recorded) && isObject(ours)) this.#objects(recorded, ours, place);
    else if (Array.isArray(recorded) && Array.isArray(ours)) this.#arrays(recorded, ours, place);
    else if (!this.#isSame(recorded, ours, place.key)) this.#report("different", recorded, ours, place);
  }

  #objects(recorded: JsonObject, ours: JsonObject, place: Place): void {
    if (typeof recorded.id === "string" && this.#standIns.has(recorded.id)) {
      this.#value(recorded.id, ours.id ?? null, inside(place, "id"));
      return;
    }
    const around = isApiObject(recorded) ? { ...place, within: { recorded, ours }, field: "" } : place;
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(ours)])) {
      const [then, now] = [recorded[key], ours[key]];
      const inner = inside(around, key);
      if (then === undefined) this.#report("unexpected", then, now, inner);
      else if (now === undefined) this.#report("missing", then, now, inner);
      else this.#value(then, now, inner);
    }
  }

  #arrays(recorded: Json[], ours: Json[], place: Place): void {
    if (recorded.length !== ours.length) {
      this.#report("different", recorded, ours, place);
      return;
    }
    for (const [index, item] of recorded.entries()) {
      this.#value(item, ours[index] ?? null, { ...place, path: `${place.path}[${index}]` });
    }
  }

  #isSame(recorded: Json, ours: Json, key: string): boolean {
    if (typeof recorded === "string" && typeof ours === "string") return this.#counterparts.match(recorded, ours);
    if (key.endsWith("_at") && Number.isInteger(recorded)) return Number.isInteger(ours);
    return recorded === ours;
  }

  #report(kind: Difference["kind"], recorded: Json | undefined, ours: Json | undefined, place: Place): void {
    const { path, within, field } = place;
    this.#differences.push({ kind, path, within, field, recorded, ours });
  }
}

const isApiObject = (value: JsonObject) => typeof value.object === "string";

function inside(place: Place, key: string): Place {
  const join = (path: string) => (path === "" ? key : `${path}.${key}`);
  return { ...place, key, path: join(place.path), field: join(place.field) };
}

export function describe({ kind, path, recorded, ours }: Difference): string {
  const show = (value: Json | undefined) => JSON.stringify(value)?.slice(0, 300);
  if (kind === "missing") return `${path} is missing; recorded ${show(recorded)}`;
  if (kind === "unexpected") return `${path} was not in the recording; ours ${show(ours)}`;
  return `${path}: recorded ${show(recorded)}, ours ${show(ours)}`;
}
