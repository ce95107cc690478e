/**
 * A run that this process drives. Its etag is the fencing token: every batch carries it, so a driver that has lost the
 * run, or missed a cancel, writes nothing at all.
 */
import type { MessageDoc, RunDoc, StepDoc } from "../store/documents.ts";
import type { Partition, Versioned, Write } from "../store/partition.ts";

/** Why a driver must stop: the client asked for it, or somebody else drives the run now (or it is gone). */
export type Interruption = "cancelling" | "lost";

export class OwnedRun {
  readonly partition: Partition;
  #run: RunDoc;
  #etag: string;

  constructor(partition: Partition, run: Versioned<RunDoc>) {
    this.partition = partition;
    this.#run = run;
    this.#etag = run._etag;
  }

  get run(): RunDoc {
    return this.#run;
  }

  /** Writes the run's next version with these documents and changes, all or nothing. */
  async write(
    next: RunDoc,
    documents: (MessageDoc | StepDoc)[],
    others: Write[] = [],
  ): Promise<Interruption | "written"> {
    const result = await this.partition.batch([
      { put: next, ifMatch: this.#etag },
      ...documents.map((doc): Write => ({ put: doc })),
      ...others,
    ]);
    if (!result.ok) return this.#whyRefused();
    this.#run = next;
    this.#etag = result.etags[0] ?? "";
    return "written";
  }

  /** Asks, cheaply, whether the run is still ours and wanted. */
  async look(): Promise<Interruption | "ours"> {
    const found = await this.partition.readIfChanged<RunDoc>(this.#run.id, this.#etag);
    return found === "unchanged" ? "ours" : this.#accept(found);
  }

  async #whyRefused(): Promise<Interruption> {
    return this.#accept(await this.partition.read<RunDoc>(this.#run.id));
  }

  /** Somebody changed the run: only a cancel leaves it ours. */
  #accept(found: Versioned<RunDoc> | undefined): Interruption {
    const owner = this.#run.internal.lease?.owner;
    if (found?.status !== "cancelling" || found.internal.lease?.owner !== owner) return "lost";
    this.#run = found;
    this.#etag = found._etag;
    return "cancelling";
  }
}

/** The run has ended or pauses for nobody: its thread is free for messages and runs again. */
export function unlockThread(run: RunDoc): Write {
  return {
    patch: run.thread_id,
    condition: `c.internal.active_run = '${run.id}'`,
    set: { "/internal/active_run": null, "/internal/last_seq": run.internal.last_seq },
  };
}
