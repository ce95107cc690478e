/** Ways to break the engine that the harness must notice: each replaces one piece of one file of the built app. */
export interface Break {
  what: string;
  file: string;
  from: string;
  to: string;
  /** why a campaign may well not notice: then that is no failure of the harness */
  elusive?: string;
}

export const BREAKS: Break[] = [
  {
    what: "no fence: a driver that has lost its run writes all the same",
    file: "store/partition.js",
    from: "if (write.ifMatch === undefined)",
    to: "if (true)",
  },
  {
    what: "a run that ends does not free its thread",
    file: "runs/owned-run.js",
    from: "partition.batch([...writes, unlock])",
    to: "partition.batch(writes)",
  },
  {
    what: "the answer is not in the batch that ends the run",
    file: "runs/ending.js",
    from: "owned.write(run, documents, leftovers(before, documents)",
    to: 'owned.write(run, documents.filter((doc) => doc.kind === "step"), leftovers(before, documents)',
  },
  {
    what: "the events are not in the batch of the objects",
    file: "runs/owned-run.js",
    from: "...chunks.map((doc) => ({ put: doc })),",
    to: "",
  },
  {
    what: "what a dead attempt left stays",
    file: "runs/ending.js",
    from: "run.internal.open.filter((id)",
    to: "[].filter((id)",
  },
  {
    what: "a takeover takes new ids",
    file: "runs/lifecycle.js",
    from: 'if (run.status === "in_progress" && run.internal.reserved !== null)',
    to: "if (false)",
  },
  {
    what: "a cancel is accepted and forgotten",
    file: "runs/commands.js",
    from: "const result = await ref.partition.batch([{ put: next, ifMatch: run._etag }]);",
    to: "const result = { ok: true };",
  },
  {
    what: "a run without a driver ends without its open step and message",
    file: "runs/ending.js",
    from: '.filter((doc) => doc.status === "in_progress")',
    to: ".filter(() => false)",
  },
  {
    what: "runs do not expire",
    file: "runs/lifecycle.js",
    from: "now >= run.expires_at * 1000",
    to: "false",
  },
  {
    what: "a model call is not on the run's account",
    file: "runs/ending.js",
    from: "usage: addUsage(internal.usage, turn.usage)",
    to: "usage: internal.usage",
  },
  {
    what: "any run can be claimed, whatever its status",
    file: "runs/advance.js",
    from: "c.status = 'queued' AND ",
    to: "",
  },
  {
    what: "the sweep finds nothing",
    file: "store/store.js",
    from: "WHERE c.internal.due < @now",
    to: "WHERE c.internal.due < 0 AND c.internal.due < @now",
  },
  {
    what: "a locked thread takes runs and messages",
    file: "threads/lock.js",
    from: "`c.internal.active_run = null AND ",
    to: "`",
  },
  {
    what: "who watches a run hears its beginning again when it is logged",
    file: "api/operations/run-events.js",
    from: "if (number + index < next)",
    to: "if (false)",
  },
  {
    what: "a lease counts for nothing: any run may be taken over at any time",
    file: "runs/lifecycle.js",
    from: "run.internal.lease === null || run.internal.lease.until <= now",
    to: "true",
    elusive: "the fence keeps every run whole: it only costs model calls, which restart.test.ts counts",
  },
  {
    what: "a driver never renews its lease",
    file: "runs/lifecycle.js",
    from: "lease: { owner: lease.owner, until }, due: until",
    to: "lease, due: lease.until",
    elusive: "the fence keeps every run whole: it only costs model calls",
  },
  {
    what: "the thread is freed in a batch of its own, after the run's end",
    file: "runs/owned-run.js",
    from: "const result = await partition.batch([...writes, unlock]);",
    to: "const first = await partition.batch(writes); if (first.ok) await partition.batch([unlock]); return first; const result = first;",
    elusive: "a process must die within the milliseconds between the two batches",
  },
];
