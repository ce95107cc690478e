/**
 * Snapshots: what a run takes over from its assistant and never changes (instructions, tools, response format). Where
 * that is large, it stands in a document of its own in the thread's partition, named after its content, and runs only
 * name it: so it is written once for all runs of a thread that use the same, and not again with every change of a run.
 */
import { createHash } from "node:crypto";
import { sizeOf } from "../resources/limits.ts";
import type { Run } from "../resources/run.ts";
import type { Doc, RunDoc, SnapshotDoc } from "./documents.ts";

const FIELDS = ["instructions", "tools", "response_format"] as const;
export type SnapshotFields = Pick<Run, (typeof FIELDS)[number]>;

/** Smaller ones stay in the run's document: a document of their own would cost more than it saves. Bytes. */
const WORTHWHILE = 1_024;

/** The snapshot document of a run, or undefined if it is too small to be worth one. */
export function snapshotOf(run: RunDoc): SnapshotDoc | undefined {
  const fields = fieldsOf(run);
  const text = JSON.stringify(fields);
  if (Buffer.byteLength(text) < WORTHWHILE) return undefined;
  return {
    id: `snapshot_${createHash("sha256").update(text).digest("base64url")}`,
    pk: run.pk,
    kind: "snapshot",
    internal: { fields },
  };
}

function fieldsOf({ instructions, tools, response_format }: RunDoc): SnapshotFields {
  return { instructions, tools, response_format };
}

/** A run's document as it is stored: without what its snapshot holds. */
export function withoutSnapshot<D extends Doc>(doc: D): Partial<D> {
  if (doc.kind !== "run" || doc.internal.snapshot === undefined) return doc;
  const { snapshot_missing: _missing, ...internal } = doc.internal;
  const stored: Record<string, unknown> = { ...doc, internal };
  for (const name of FIELDS) delete stored[name];
  return stored as Partial<D>;
}

/** A run as it was read, with what its snapshot holds, in the order in which a run shows its fields. */
export function withSnapshot<D extends Doc>(doc: D, fields: SnapshotFields | undefined): D {
  const { instructions = null, tools = [], response_format = "auto" } = fields ?? {};
  const whole: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(doc)) {
    if (name === "tool_resources") Object.assign(whole, { instructions, tools });
    if (name === "tool_choice") whole.response_format = response_format;
    whole[name] = value;
  }
  Object.assign(whole, { instructions, tools, response_format });
  if (fields === undefined) whole.internal = { ...doc.internal, snapshot_missing: true };
  return whole as D;
}

/** Characters of JSON that one process remembers. */
const CAPACITY = 16_000_000;

/** Snapshots never change: a process reads each once, and forgets the ones that were used longest ago. */
export class SnapshotCache {
  readonly #known = new Map<string, { fields: SnapshotFields; size: number }>();
  #size = 0;

  get(id: string): SnapshotFields | undefined {
    const found = this.#known.get(id);
    if (found === undefined) return undefined;
    this.#known.delete(id);
    this.#known.set(id, found);
    return found.fields;
  }

  add(id: string, fields: SnapshotFields): void {
    if (this.#known.has(id)) return;
    const size = sizeOf(fields);
    this.#known.set(id, { fields, size });
    this.#size += size;
    for (const [oldest, { size: freed }] of this.#known) {
      if (this.#size <= CAPACITY) return;
      this.#known.delete(oldest);
      this.#size -= freed;
    }
  }
}
