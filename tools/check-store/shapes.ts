/**
 * What the rules take for granted: the fields that they look into, and no more. A document without them is named and
 * left out of the other rules. Whether its fields say what they should is for those rules.
 */
import { z } from "zod";
import { ACTIVE_STATUSES, TERMINAL_STATUSES } from "../../src/resources/run.ts";
import type { Doc } from "../../src/store/documents.ts";

const text = z.string();
const number = z.number();
const usage = z.looseObject({ prompt_tokens: number, completion_tokens: number, total_tokens: number });

const run = z.looseObject({
  thread_id: text,
  status: z.enum([...ACTIVE_STATUSES, ...TERMINAL_STATUSES]),
  created_at: number,
  expires_at: number.nullable(),
  started_at: number.nullable(),
  usage: usage.nullable(),
  internal: z.looseObject({
    sort: text,
    tenant: text,
    due: number.optional(),
    lease: z.looseObject({ owner: text }).nullable(),
    reserved: z.looseObject({}).nullable(),
    last_seq: text,
    open: z.array(text),
    turns: number,
    usage,
    log: z.looseObject({ chunks: z.int().min(0).max(1_000_000), events: number }),
    snapshot: text.optional(),
    short_log: z.looseObject({ objects: z.array(text), entries: z.array(z.unknown()) }).optional(),
  }),
});

const message = z.looseObject({
  thread_id: text,
  run_id: text.nullable(),
  status: text,
  content: z.array(z.looseObject({ type: text, text: z.looseObject({ value: text }).optional() })),
  incomplete_details: z.looseObject({ reason: text }).nullable(),
  internal: z.looseObject({ sort: text }),
});

const details = z.union([
  z.looseObject({ type: z.literal("message_creation"), message_creation: z.looseObject({ message_id: text }) }),
  z.looseObject({
    type: z.literal("tool_calls"),
    tool_calls: z.array(z.looseObject({ type: text, function: z.looseObject({ output: z.unknown() }).optional() })),
  }),
]);

const step = z.looseObject({
  thread_id: text,
  run_id: text,
  status: text,
  step_details: details,
  usage: usage.nullable(),
  internal: z.looseObject({ sort: text, usage }),
});

const thread = z.looseObject({
  internal: z.looseObject({ sort: text, active_run: text.nullable(), last_seq: text, user_messages: number }),
});

/** Older builds wrote a due time in place of a sort. */
const mark = z.looseObject({
  internal: z.union([z.looseObject({ sort: text }), z.looseObject({ due: number })]),
});

const events = z.looseObject({ internal: z.looseObject({ run: text, first: number, entries: z.array(z.unknown()) }) });
const snapshot = z.looseObject({ internal: z.looseObject({ fields: z.looseObject({}) }) });

/** A map: a kind may be any text, `valueOf` for one. */
const SHAPES = new Map<string, z.ZodType>(
  Object.entries({ thread, deleted_thread: mark, run, message, step, events, snapshot }),
);

/** What a document lacks that the rules look into; undefined if nothing. One of an unknown kind lacks nothing here. */
export function lackOf(doc: Doc): string | undefined {
  const issues = SHAPES.get(String(doc.kind))?.safeParse(doc).error?.issues ?? [];
  if (issues.length === 0) return undefined;
  return issues.map(({ path, message: what }) => `${path.join(".")}: ${what}`).join("; ");
}
