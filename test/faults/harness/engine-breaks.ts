/** Ways to break the engine that tests must notice. */
import { type Break, edit, of } from "./break.ts";

const ATTEMPTS = { caughtBy: "test/faults/attempts.test.ts" };
const DELETES = { caughtBy: "test/faults/named-deletes.test.ts" };
const OUTAGES = { caughtBy: "test/faults/outages.test.ts" };
const CLAIMS = { caughtBy: "test/unit/runs/claim.test.ts" };
const PURGES = { caughtBy: "test/unit/threads/purge.test.ts" };
const LARGE_REQUESTS = { caughtBy: "test/settings/large-requests.test.ts" };

export const ENGINE_BREAKS: Break[] = [
  of(0, "no fence: a driver that has lost its run writes all the same", [
    edit("store/writes.ts", "if (write.ifMatch === undefined) return", "if (true) return"),
  ]),
  of(0, "a run that ends does not free its thread", [
    edit("runs/run-batch.ts", "...(this.#unlocks ? [unlockThread(run, this.#parts.thread)]", "...(this.#unlocks ? []"),
  ]),
  of(0, "the answer is not in the batch that ends the run", [
    edit(
      "runs/settle.ts",
      "owned.write(end, {\n    documents,",
      'owned.write(end, {\n    documents: documents.filter(({ kind }) => kind === "step"),',
    ),
  ]),
  of(0, "the events are not in the batch of the objects", [
    edit("runs/run-batch.ts", "...chunks.map((doc): Write => ({ put: doc })),", ""),
  ]),
  of(0, "what a dead attempt left stays", [
    edit("runs/settle.ts", "run.internal.open.filter((id)", "([] as string[]).filter((id)"),
  ]),
  of(0, "a takeover takes new ids", [
    edit("runs/lifecycle.ts", 'if (run.status === "in_progress" && run.internal.reserved !== null)', "if (false)"),
  ]),
  of(0, "a cancel is accepted and forgotten", [
    edit(
      "runs/commands.ts",
      "const result = await ref.partition.batch([{ put: next, ifMatch: run._etag }]);",
      "const result = { ok: true };",
    ),
  ]),
  of(0, "a run that has no driver ends without its open step and message", [
    edit("runs/end-undriven.ts", '.filter((doc) => doc.status === "in_progress")', ".filter(() => false)"),
  ]),
  of(0, "runs do not expire", [edit("runs/lifecycle.ts", "now >= run.expires_at * 1000", "false")]),
  of(0, "a model call is not on the run's account", [
    edit("runs/settle.ts", "usage: addUsage(internal.usage, turn.usage)", "usage: internal.usage"),
  ]),
  of(0, "any run can be claimed, whatever its status", [edit("runs/claim.ts", "`c.status = 'queued' AND ", "`")]),
  of(0, "the sweep finds nothing", [
    edit("store/store.ts", '"WHERE c.internal.due >= @from', '"WHERE c.internal.due < 0 AND c.internal.due >= @from'),
  ]),
  of(0, "a locked thread takes runs and messages", [
    edit("threads/lock.ts", "`c.internal.active_run = null AND ", "`"),
  ]),
  of(0, "a client that watches a run hears its beginning again when it is logged", [
    edit("api/operations/run-events.ts", "if (number + index < next)", "if (false)"),
  ]),
  of(
    0,
    "the thread is freed in a batch of its own, after the run's end",
    [
      edit(
        "runs/run-batch.ts",
        "const result = await partition.batch(writes, patience);",
        `const apart = this.#unlocks ? writes.splice(-1) : [];
      const result = await partition.batch(writes, patience);
      if (result.ok && apart.length > 0) await partition.batch(apart);`,
      ),
    ],
    { elusive: "a process must die within the milliseconds between the two batches" },
  ),
  of(0, "a lease counts for nothing: any run may be taken over at any time", [
    edit("runs/lifecycle.ts", "run.internal.lease === null || run.internal.lease.until <= now", "true"),
  ]),
  of(0, "a driver never renews its lease", [
    edit("runs/lifecycle.ts", "lease: { owner: lease.owner, until }, due: until", "lease, due: lease.until"),
  ]),

  of(1, "a model call may say as much as it likes", [
    edit("runs/said-bytes.ts", "MAX_SAID_BYTES = 500_000", "MAX_SAID_BYTES = 500_000_000"),
  ]),
  of(1, "an answer that was cut off at the bound counts as complete", [
    edit("runs/turn.ts", 'this.finishReason = "length";', 'this.finishReason = "stop";'),
  ]),
  of(1, "an answer may be twice as long, and a batch that does not fit is not tried in a smaller form", [
    edit("runs/said-bytes.ts", "MAX_SAID_BYTES = 500_000", "MAX_SAID_BYTES = 1_000_000"),
    edit("runs/run-batch.ts", "if (status === 413) {", "if (false) {"),
    edit("runs/event-encoding.ts", "const LARGE = 2_000;", "const LARGE = 200_000_000;"),
  ]),

  of(
    2,
    "the batch that ends a run is tried for as long as a client waits, not for as long as the run lives",
    [edit("runs/settle.ts", "    thread,\n    patience: whileAlive(engine, before),", "    thread,")],
    OUTAGES,
  ),
  of(2, "the batch that pauses a run is not tried for longer than a client waits", [
    edit(
      "runs/settle.ts",
      "thread: work.thread,\n    patience: whileAlive(engine, owned.run),",
      "thread: work.thread,",
    ),
  ]),
  of(
    2,
    "a worker takes an expired lease for a dead driver, though the store was just in trouble",
    [edit("runs/claim.ts", "if (isTroubled && now <", "if (false && now <")],
    CLAIMS,
  ),
  of(
    2,
    "a worker takes a run over at its first look",
    [edit("runs/claim.ts", "|| job.seen === run._etag) return", "|| true) return")],
    CLAIMS,
  ),
  of(
    2,
    "a store that is over its throughput counts as a final answer",
    [
      edit(
        "store/trouble.ts",
        "const FINAL = [304, 400, 404, 409, 412, 413];",
        "const FINAL = [304, 400, 404, 409, 412, 413, 429];",
      ),
    ],
    OUTAGES,
  ),

  of(
    3,
    "any wake-up of a released run asks the model at once",
    [edit("runs/lifecycle.ts", "run.internal.lease === null && (run.internal.due ?? 0) > now;", "false;")],
    ATTEMPTS,
  ),
  of(
    3,
    "a takeover is no attempt",
    [edit("runs/lifecycle.ts", "lease, due, attempts: run.internal.attempts + 1 } };", "lease, due } };")],
    ATTEMPTS,
  ),
  of(
    3,
    "a run is taken over however many attempts it has had",
    [edit("runs/claim.ts", "run.internal.attempts >= engine.config.model.maxAttempts;", "false;")],
    ATTEMPTS,
  ),

  of(
    4,
    "a run is left because a document of it is gone",
    [
      edit(
        "runs/run-batch.ts",
        "    if (status === 404) this.#parts.deleted.add(id);\n    return status === 404;",
        "    return false;",
      ),
    ],
    DELETES,
  ),
  of(
    4,
    "a run writes a message again that its client has deleted",
    [edit("runs/run-batch.ts", "stored.includes(doc.id) ? this.#patch(doc) :", "false ? this.#patch(doc) :")],
    DELETES,
  ),
  of(
    4,
    "the reason to stop is read before the heartbeat has stopped",
    [
      edit(
        "runs/drive.ts",
        'if (outcome.kind === "calls") outcome = await hosting.work(turn, stop.signal);',
        `if (outcome.kind === "calls") outcome = await hosting.work(turn, stop.signal);
    if (stop.signal.aborted) outcome = stop.signal.reason as Outcome;`,
      ),
      edit(
        "runs/drive.ts",
        "const reason: Outcome | undefined = stop.signal.aborted ? stop.signal.reason : undefined;",
        "const reason = undefined as Outcome | undefined;",
      ),
      edit("runs/drive.ts", 'if (owned.run.status === "cancelling" && outcome.kind !== "lost")', "if (false)"),
    ],
    { caughtBy: "test/unit/runs/drive.test.ts" },
  ),

  of(
    5,
    "tokens are counted in the thread that answers requests",
    [
      edit(
        "model/tokenizer.ts",
        "    if (this.#waiting + text.length > MAX_WAITING) return",
        `    for (let from = 0; from < text.length; from += 1_000) {
      for (let again = 0; again < 1_000; again++) text.slice(from, from + 1_000).match(/\\p{L}+|\\p{N}+|./gu);
    }
    if (this.#waiting + text.length > MAX_WAITING) return`,
      ),
    ],
    LARGE_REQUESTS,
  ),
  of(
    5,
    "a body is scanned in one go",
    [
      edit("api/body.ts", "const PIECE = 500_000;", "const PIECE = 500_000_000;"),
      edit("api/body.ts", "const LARGE = 50_000;", "const LARGE = 500_000_000;"),
    ],
    { caughtBy: "test/unit/api/body.test.ts" },
  ),
  of(
    5,
    "a body may be as large as it likes",
    [
      edit("api/body.ts", "if (bytes <= maximum) chunks.push(chunk);", "if (true) chunks.push(chunk);"),
      edit("api/body.ts", "if (bytes > maximum) throw", "if (false) throw"),
      edit("api/body.ts", "Number(told) <= maximum", "true"),
    ],
    { caughtBy: "test/e2e/limits.test.ts" },
  ),

  of(
    6,
    "a purge ends after its first slice",
    [edit("threads/purge.ts", "if (next !== undefined) await", "if (false) await")],
    PURGES,
  ),
  of(
    6,
    "a mark in a thread's place is taken for the thread",
    [
      edit("threads/read.ts", 'if (thread?.kind !== "thread") throw', "if (thread === undefined) throw"),
      edit("threads/read.ts", '(threadId))?.kind === "thread";', "(threadId)) !== undefined;"),
    ],
    { caughtBy: "test/unit/threads/delete.test.ts" },
  ),
  of(
    6,
    "a thread's active run stays when the thread goes",
    [edit("threads/delete.ts", "partition.batch([put, { delete: run }])", "partition.batch([put])")],
    { caughtBy: "test/unit/threads/delete.test.ts" },
  ),
  of(
    6,
    "a deleted thread is never purged",
    [
      edit(
        "threads/purge.ts",
        "const mark = await ownedMark(tools, partition, thread, due);",
        "const mark = undefined;",
      ),
    ],
    DELETES,
  ),

  of(7, "one tenant may have all of a limit", [edit("tenant-shares.ts", "(!this.#onlyOne && own > free)", "false")]),
];
