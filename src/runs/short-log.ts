/**
 * The event log of a run that ended with its first write, as most do: it stands in the run's own document instead of a
 * chunk, which would cost a write and, in the end, a delete. It holds no text: each event is the final document of its
 * object, but for what was different then, and the deltas are lengths of pieces of the final message.
 */
import type { ShortLog } from "../store/documents.ts";
import { apiObject, type MessageDoc, type RunDoc, type StepDoc } from "../store/documents.ts";
import { FIXED, type Fields, isObject, pieces, same, textPiece } from "./event-encoding.ts";
import { type RunEvent, textDelta, textOf } from "./events.ts";

type Objects = (RunDoc | StepDoc | MessageDoc)[];

interface ObjectEntry {
  event: string;
  /** which object: 0 is the run, the others in the order of `ShortLog.objects` */
  of: number;
  /** the fields that changed since the object's last event; in its first one, that are not as in its final document */
  set?: Fields;
  /** the fields that changed and are as in the final document now */
  final?: string[];
}
interface DeltasEntry {
  of: number;
  lengths: number[];
}
interface PlainEntry {
  event: string;
  data: unknown;
}
type Entry = ObjectEntry | DeltasEntry | PlainEntry;

/** A longer log makes the run's document more expensive than a chunk. Characters of JSON. */
const LONGEST = 3_000;

/** Clients may change it after the run's end. */
const CHANGEABLE = "metadata";

/**
 * The log of these events, all that a run has told, or undefined if they need a chunk. `documents` are as they are
 * stored by the same batch as `run`. `until`: when the log is not shown any more, in milliseconds since 1970.
 */
export function shortLogOf(
  run: RunDoc,
  documents: (StepDoc | MessageDoc)[],
  events: RunEvent[],
  until: number,
): ShortLog | undefined {
  const objects: Objects = [run, ...documents];
  const finals = objects.map((doc): Fields => apiObject<RunDoc | StepDoc | MessageDoc>(doc));
  const known = new Map<number, Fields>();
  const entries: Entry[] = [];
  for (const event of events) {
    const entry = deltasEntry(event, objects) ?? objectEntry(event, finals, known);
    if (entry === undefined) return undefined;
    const last = entries.at(-1);
    const goesOn = last !== undefined && "lengths" in last && "lengths" in entry && last.of === entry.of;
    if (goesOn) last.lengths.push(...entry.lengths);
    else entries.push(entry);
  }
  if (!documents.every((doc) => toldWhole(doc, entries, objects))) return undefined;
  const log = { objects: documents.map(({ id }) => id), entries, until };
  return JSON.stringify(log).length <= LONGEST ? log : undefined;
}

/** Whether the pieces that were told of a message make up its text. */
function toldWhole(doc: StepDoc | MessageDoc, entries: Entry[], objects: Objects): boolean {
  if (doc.kind !== "message") return true;
  const lengths = entries.flatMap((entry) =>
    "lengths" in entry && objects[entry.of]?.id === doc.id ? entry.lengths : [],
  );
  return lengths.reduce((sum, length) => sum + length, 0) === textOf(doc.content).length;
}

function deltasEntry(event: RunEvent, objects: Objects): DeltasEntry | undefined {
  const piece = textPiece(event);
  const of = piece === undefined ? -1 : objects.findIndex(({ id }) => id === piece.id);
  return piece === undefined || piece.part !== undefined || of < 0 ? undefined : { of, lengths: piece.lengths };
}

function objectEntry({ event, data }: RunEvent, finals: Fields[], known: Map<number, Fields>): Entry | undefined {
  if (event.endsWith(".delta") || !isObject(data)) return undefined;
  const of = finals.findIndex(({ id }) => id === data.id);
  const final = finals[of];
  // Of an object that is not the run's, such as its thread; of an attempt that came to nothing, a chunk tells.
  if (final === undefined) return event === "thread.created" ? { event, data } : undefined;
  const before = known.get(of) ?? { ...final, [CHANGEABLE]: undefined };
  known.set(of, data);
  const names = Object.keys(data).filter((name) => !(of === 0 && FIXED.has(name)) && !same(before[name], data[name]));
  const isFinal = (name: string) => name !== CHANGEABLE && same(final[name], data[name]);
  const set = Object.fromEntries(names.filter((name) => !isFinal(name)).map((name) => [name, data[name]]));
  const asFinal = names.filter(isFinal);
  return {
    event,
    of,
    ...(Object.keys(set).length > 0 && { set }),
    ...(asFinal.length > 0 && { final: asFinal }),
  };
}

/** The events of a run's short log; those of documents that are gone are undefined. `documents`: in the log's order. */
export function readShortLog(
  run: RunDoc,
  { entries }: ShortLog,
  documents: (StepDoc | MessageDoc | undefined)[],
): (RunEvent | undefined)[] {
  const objects = [run, ...documents];
  const known = new Map<number, Fields>();
  const told = new Map<number, number>();
  return (entries as Entry[]).flatMap((entry): (RunEvent | undefined)[] => {
    if ("data" in entry) return [entry];
    const doc = objects[entry.of];
    if ("lengths" in entry) return deltas(entry, doc, told);
    // Of a document that is gone, or an entry of a kind that this build does not know.
    if (doc === undefined || !("event" in entry)) return [undefined];
    const final: Fields = apiObject<RunDoc | StepDoc | MessageDoc>(doc);
    const data = { ...(known.get(entry.of) ?? final), ...entry.set };
    for (const name of entry.final ?? []) data[name] = final[name];
    known.set(entry.of, data);
    return [{ event: entry.event, data }];
  });
}

function deltas(
  { of, lengths }: DeltasEntry,
  doc: RunDoc | StepDoc | MessageDoc | undefined,
  told: Map<number, number>,
): (RunEvent | undefined)[] {
  if (doc?.kind !== "message") return lengths.map(() => undefined);
  const start = told.get(of) ?? 0;
  const values = pieces(textOf(doc.content).slice(start), lengths);
  told.set(of, start + values.join("").length);
  return values.map((value, index) => textDelta(doc, value, start === 0 && index === 0));
}
