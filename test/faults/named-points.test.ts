/**
 * kill -9 at every point of a run's life that matters: the local servers hold the request at which it is to happen, for
 * many runs at once, and then their process dies. Once it is started again, once another instance takes over.
 */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Child } from "../../local/child.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { bringToTheirPoints, release } from "./points/holding.ts";
import { violations } from "./points/look.ts";
import { ANSWER, POINTS } from "./points/points.ts";
import { Scene } from "./points/scene.ts";

/**
 * Seconds. Longer than even a busy machine takes to get every run to its point, since none is to be taken over before;
 * and shorter than the grace below, so that it costs no time.
 */
const LEASE = 12;
const LOCK_DURATION = 12;
/** A run whose wake-up was never sent waits for a sweep: it is found at the earliest after this time. */
const WAKE_UP_GRACE = 15_000;
const PATIENCE = 40_000;

describe.concurrent.each(["is started again", "is replaced by another instance"] as const)(
  "a process that is killed and %s",
  (fate) => {
    let stack: Stack;
    beforeAll(async () => {
      buildIfStale();
      stack = await startStack({
        lockDuration: LOCK_DURATION,
        env: { RUN_LEASE: String(LEASE) },
        blobs: true,
        moreHosts: [{ name: "other", env: {} }],
      });
    });
    afterAll(() => stack?.stop());

    test("leaves no run behind, at whatever point it dies", { timeout: 60_000 }, async () => {
      const { victim, other } = hostsOf(stack);
      // Every run shall be the victim's.
      await other.kill();
      const client = clientAt(stack, victim);
      const scenes = await Promise.all(
        POINTS.flatMap((point) => point.ways.map((way) => Scene.prepare(stack, client, point, way))),
      );
      await bringToTheirPoints(stack, client, scenes);

      await victim.kill("SIGKILL");
      await release(stack);
      const successor = fate === "is started again" ? victim : other;
      await successor.start();

      const sweeping = sweepLater(successor);
      const ends = await Promise.all(scenes.map((scene) => endOf(scene, clientAt(stack, successor))));
      clearTimeout(sweeping);
      expect(Object.fromEntries(ends)).toEqual(
        Object.fromEntries(scenes.map((scene) => [scene.name, expected(scene)])),
      );
      const threads = scenes.map(({ threadId }) => threadId);
      expect(await violations(stack, threads, { messagesAreDeleted: false })).toEqual([]);
    });
  },
);

function hostsOf({ processes: { functions, moreHosts } }: Stack): { victim: Child; other: Child } {
  const [other] = moreHosts;
  if (other === undefined) throw new Error("the stack has one host only");
  return { victim: functions, other };
}

const clientAt = ({ apiKey }: Stack, host: Child) =>
  new OpenAI({ baseURL: `http://127.0.0.1:${host.ports.port}/v1`, apiKey, maxRetries: 0 });

/** The timer would do it, too, a little later. */
const sweepLater = (host: Child) =>
  setTimeout(
    () => void fetch(`http://127.0.0.1:${host.ports.port}/admin/functions/sweep`, { method: "POST" }),
    WAKE_UP_GRACE,
  );

async function endOf(scene: Scene, client: OpenAI): Promise<[string, unknown]> {
  const { threads } = client.beta;
  const run = await scene.end(client, PATIENCE);
  const { data } = await threads.messages.list(scene.threadId, { order: "asc" });
  const said = data.map(({ role, status, content: [part] }) => [
    role,
    status,
    part?.type === "text" && part.text.value,
  ]);
  // Only a free thread takes another message.
  await threads.messages.create(scene.threadId, { role: "user", content: "And then?" });
  return [scene.name, { status: run.status, said, modelCalls: await scene.modelCalls() }];
}

const expected = ({ point }: Scene) => ({
  status: "completed",
  said: [
    ["user", "completed", "Why?"],
    ["assistant", "completed", ANSWER],
  ],
  modelCalls: point.turns.length,
});
