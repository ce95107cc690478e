import { afterAll, beforeAll, expect, test } from "vitest";
import { noSink } from "../../../src/runs/events.ts";
import { OwnedRun } from "../../../src/runs/owned-run.ts";
import type { MessageDoc, RunDoc, StepDoc } from "../../../src/store/documents.ts";
import { messageStep, RUN_SEQ, replyDoc, runIn } from "../documents.ts";
import { read, type StoredThreads, startStoredThreads } from "./stored-thread.ts";

let threads: StoredThreads;
beforeAll(async () => {
  threads = await startStoredThreads();
});
afterAll(() => threads.close());

const RUN_ID = `run_${RUN_SEQ}`;

const same = (run: RunDoc) => run;

async function ownedRun() {
  const run = runIn("in_progress");
  const partition = await threads.thread([{ ...run, internal: { ...run.internal, open: [] } }], RUN_ID);
  const owned = new OwnedRun(partition, await read<RunDoc>(partition, RUN_ID), noSink, 0);
  const pk = owned.run.pk;
  const step: StepDoc = { ...messageStep(), pk };
  const reply = (text: string): MessageDoc => ({ ...replyDoc(text), pk });
  const versionOf = async (id: string) => (await read(partition, id))._etag;
  return { partition, owned, step, reply, versionOf };
}

test("what has not changed since this process wrote it is not written again", async () => {
  const { owned, step, reply, versionOf } = await ownedRun();
  const first = reply("Hel");
  const open = [step.id, first.id];
  const opened = (run: RunDoc) => ({ ...run, internal: { ...run.internal, open } });
  expect(await owned.write(opened, { documents: [step, first] })).toBe("written");
  const versions = { step: await versionOf(step.id), message: await versionOf(first.id) };

  expect(await owned.write(same, { documents: [step, reply("Hello")] })).toBe("written");

  expect(await versionOf(step.id)).toBe(versions.step);
  expect(await versionOf(first.id)).not.toBe(versions.message);
});

test("what a refused batch held is written by the next one", async () => {
  const { partition, owned, step } = await ownedRun();
  const run = await read<RunDoc>(partition, RUN_ID);
  const cancelling: RunDoc = { ...run, status: "cancelling" };
  expect((await partition.batch([{ put: cancelling, ifMatch: run._etag }])).ok).toBe(true);

  expect(await owned.write(same, { documents: [step] })).toBe("cancelling");
  expect(await partition.read(step.id)).toBeUndefined();
  expect(await owned.write(same, { documents: [step] })).toBe("written");
  expect(await read<StepDoc>(partition, step.id)).toMatchObject({ id: step.id, status: step.status });
});
