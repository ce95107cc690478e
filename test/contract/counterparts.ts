import { type Json, mapStrings } from "./json.ts";

/** Ids of the API anywhere in a text. Long, so that no word such as `run_failed` is one. */
const ID = /\b(?:(?:asst|thread|msg|run|step|call|vs|vsfb)_|file-)[A-Za-z0-9]{20,}\b/g;

export const idsIn = (text: string): string[] => text.match(ID) ?? [];

/** Which of our names stands for which recorded one, learnt as the answers come. */
export class Counterparts {
  readonly #ours = new Map<string, string>();
  readonly #recorded = new Map<string, string>();

  set(recorded: string, ours: string): void {
    this.#ours.set(recorded, ours);
    this.#recorded.set(ours, recorded);
  }

  has(recorded: string): boolean {
    return this.#ours.has(recorded);
  }

  /** A text with our names in the place of the recorded ones. */
  translate(text: string): string {
    return this.#ours.get(text) ?? text.replace(ID, (id) => this.#ours.get(id) ?? id);
  }

  translateAll(value: Json): Json {
    return mapStrings(value, (text) => this.translate(text));
  }

  /** Whether our text stands for the recorded one. An id that is new on both sides becomes its counterpart. */
  match(recorded: string, ours: string): boolean {
    const bothNew = !this.#ours.has(recorded) && !this.#recorded.has(ours);
    if (bothNew && isId(recorded) && isId(ours) && kindOf(recorded) === kindOf(ours)) this.set(recorded, ours);
    return this.translate(recorded) === ours;
  }
}

const isId = (text: string) => idsIn(text)[0] === text;
const kindOf = (id: string) => id.split(/[_-]/)[0];
