/** A process that is stopped when the model has said everything, but the last checkpoint is not over yet. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { App } from "../../../src/app.ts";
import { advance } from "../../../src/runs/advance.ts";
import { startRun } from "../../../src/runs/start.ts";
import { wakeUpOf } from "../../../src/runs/wake.ts";
import type { RunDoc } from "../../../src/store/documents.ts";
import { assistant } from "../documents.ts";
import { silentLog } from "../silent-log.ts";
import { startWorld } from "../threads/world.ts";
import { finish, says, usage } from "./model-stream.ts";
import { read } from "./stored-thread.ts";

/** A model that says one piece, and the rest when it is told to. Its answers are ended by the client only. */
async function startModel() {
  const rest = Promise.withResolvers<void>();
  const read = Promise.withResolvers<void>();
  let asked = 0;
  const server = createServer(async (_request, response) => {
    asked += 1;
    const say = (chunk: object) => response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    response.writeHead(200, { "content-type": "text/event-stream" });
    say(says("All of it."));
    await rest.promise;
    say(finish("stop"));
    say(usage(5, 4));
    response.write("data: [DONE]\n\n");
    // The client reads on for a while after [DONE], then it closes the connection: by then it has read everything.
    response.once("close", () => read.resolve());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return {
    endpoint: `http://127.0.0.1:${port}/v1`,
    asked: () => asked,
    end: rest.resolve,
    wasRead: read.promise,
    stop,
  };
}

test("an answer that is complete is written by the process that is being stopped, and not asked for again", async () => {
  const model = await startModel();
  const world = await startWorld();
  const { model: settings, ...config } = world.app.config;
  const app = new App({ ...config, model: { ...settings, endpoint: model.endpoint, key: "key" } }, silentLog);
  try {
    const { engine } = app;
    const { tenant, id: threadId, partition } = await world.thread(1);
    const request = { assistant_id: assistant().id };
    const start = { tenant, threadId, assistant: assistant(), request, now: app.now(), before: [], isThreadNew: false };
    const run = await startRun(engine, start);
    world.cosmos.setFaults([{ fault: "hold-before", operations: ["batch"], containing: ["All of it."], times: 1 }]);
    const driven = advance(engine, wakeUpOf(run));
    await expect.poll(() => world.cosmos.faults()[0]?.held, { timeout: 10_000 }).toBe(1);

    model.end();
    await model.wasRead;
    const stopped = engine.drives.stop();
    world.cosmos.setFaults([]);
    await Promise.all([driven, stopped]);

    expect(await read<RunDoc>(partition, run.id)).toMatchObject({ status: "completed", internal: { turns: 1 } });
    expect(model.asked()).toBe(1);
  } finally {
    await app.close();
    await world.stop();
    await model.stop();
  }
});
