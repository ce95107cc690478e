/**
 * Tells the function calls of one model call apart. Servers number them in many ways: from 0 or from 1, all with 0, or
 * not at all; with ids, without, or with the same id for all; with the name once or in every piece. Pure.
 */
import { type CallPiece, MAX_EXTRAS_BYTES } from "../model/pieces.ts";
import { sizeOf } from "../resources/limits.ts";
import type { CallExtras } from "../store/documents.ts";
import { JsonEnd } from "./json-end.ts";

/** A call under way. */
export interface SortedCall {
  /** "" until the server has told it */
  name: string;
  /** without the empty object that some servers send first and others alone (`isEmpty`) */
  arguments: string;
  isEmpty: boolean;
  /** as the server numbers and names it */
  readonly index: number | undefined;
  serverId: string;
  /** its place among the calls, and the id that it has for clients; absent while it has no name */
  told?: { place: number; id: string };
  extras: Record<string, unknown> | undefined;
  readonly end: JsonEnd;
  /** the number of the last chunk that had a piece of it */
  chunk: number;
}

export class CallSorter {
  readonly #calls: SortedCall[] = [];
  readonly #ids = new Set<string>();
  #chunk = 0;

  /** The pieces that follow came in another chunk than those before. */
  nextChunk(): void {
    this.#chunk += 1;
  }

  /** All calls, also those that have no name yet. */
  get size(): number {
    return this.#calls.length;
  }

  /** The calls that have names, in the order in which clients hear of them. */
  get told(): SortedCall[] {
    return this.#calls
      .filter(({ told }) => told !== undefined)
      .sort((a, b) => (a.told?.place ?? 0) - (b.told?.place ?? 0));
  }

  /** What the server put into its calls, as far as there is room: half of what belongs to a call would be of no use. */
  get extras(): CallExtras[] {
    let room = MAX_EXTRAS_BYTES;
    return this.told.flatMap(({ told, extras: fields }) => {
      if (told === undefined || fields === undefined) return [];
      const bytes = sizeOf(fields);
      if (bytes > room) return [];
      room -= bytes;
      return [{ id: told.id, fields }];
    });
  }

  /** The call that a piece belongs to, perhaps a new one; undefined for a piece that only repeats another. */
  callOf(piece: CallPiece): SortedCall | undefined {
    const found = piece.isWhole ? this.#sameId(piece) : this.#candidate(piece);
    if (found !== undefined && isRepetition(found, piece)) return undefined;
    const call = found === undefined || this.#isAnother(found, piece) ? this.#add(piece) : found;
    call.chunk = this.#chunk;
    if (call.serverId === "") call.serverId = piece.id;
    if (call.name === "") call.name = piece.name;
    if (piece.extras !== undefined) addExtras(call, piece.extras);
    return call;
  }

  /**
   * Marks a call as told to clients: gives it its place, and the id that the server gave it if no other call has that.
   */
  tell(call: SortedCall, place: number, freshId: () => string): { place: number; id: string } {
    const id = call.serverId === "" || this.#ids.has(call.serverId) ? freshId() : call.serverId;
    this.#ids.add(id);
    call.told = { place, id };
    return call.told;
  }

  /** A call that was told before, and is whole. */
  restore(id: string, name: string, text: string): SortedCall {
    const call = this.#add({ index: this.size, id, name });
    call.arguments = text;
    this.tell(call, this.size - 1, () => id);
    return call;
  }

  #add({ index, id, name }: Pick<CallPiece, "index" | "id" | "name">): SortedCall {
    const call: SortedCall = {
      name,
      arguments: "",
      isEmpty: false,
      index,
      serverId: id,
      extras: undefined,
      end: new JsonEnd(),
      chunk: this.#chunk,
    };
    this.#calls.push(call);
    return call;
  }

  #sameId({ id }: CallPiece): SortedCall | undefined {
    return id === "" ? undefined : this.#calls.findLast((call) => call.serverId === id);
  }

  /** The call that the piece may go on with, by its id, its index, or its place behind the last one. */
  #candidate(piece: CallPiece): SortedCall | undefined {
    const { id, index, name } = piece;
    const atIndex = index === undefined ? undefined : this.#calls.findLast((call) => call.index === index);
    if (id === "") return atIndex ?? this.#lastFor(piece);
    if (atIndex?.serverId === id) return atIndex;
    const known = this.#sameId(piece);
    // The same id at another index, with a name: a server that gives all calls the same id.
    if (known !== undefined) return name !== "" && index !== undefined && known.index !== index ? undefined : known;
    const going = atIndex ?? this.#lastFor(piece);
    // An id that comes late, or changes with each piece; beside a name, a new id is that of a new call.
    return name === "" || going?.serverId === "" ? going : undefined;
  }

  /**
   * The last call, for a piece whose index is not known: one with a name, or behind complete arguments, is another's.
   */
  #lastFor({ index, name, arguments: text }: CallPiece): SortedCall | undefined {
    const last = this.#calls.at(-1);
    if (index === undefined || last === undefined) return last;
    if (name !== "") return undefined;
    return last.index === undefined || (text !== "" && !isComplete(last)) ? last : undefined;
  }

  /** Whether the piece begins another call than the one that it may go on with. */
  #isAnother(call: SortedCall, piece: CallPiece): boolean {
    if (piece.isWhole) return true;
    if (piece.name === "" || call.name === "") return false;
    if (piece.name !== call.name) return true;
    const hasSameId = piece.id !== "" && piece.id === call.serverId;
    if (call.chunk === this.#chunk && !hasSameId) return true;
    if (isComplete(call)) return piece.arguments !== "" && !(hasSameId && call.isEmpty);
    // A name that comes again is a call that goes on; without a number and arguments, it is all that there is of a
    // call.
    return !hasSameId && piece.index === undefined && call.arguments === "" && piece.arguments === "";
  }
}

/** Fields that a server adds to a call, in all its pieces. */
const MOST_EXTRAS = 20;

function addExtras(call: SortedCall, extras: Record<string, unknown>): void {
  const all = { ...call.extras, ...extras };
  if (Object.keys(all).length <= MOST_EXTRAS) call.extras = all;
}

const isComplete = (call: SortedCall) => call.isEmpty || call.end.isReached(call.arguments);

/** Some servers send a call again when it is complete. Without an id it might be a second call that is the same. */
function isRepetition(call: SortedCall, { id, name, arguments: text }: CallPiece): boolean {
  if (id === "" || id !== call.serverId || name !== call.name || text === "") return false;
  return text === call.arguments && isComplete(call);
}
