/** The whole stack on a disk that is full for a while, as a user of the API sees it. */
import path from "node:path";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { type Stack, startStack } from "../../../local/stack.ts";
import { buildIfStale } from "../../e2e/build.ts";
import { all } from "../../e2e/harness.ts";
import { NO_SMALL_DISK, smallDisk } from "./disk.ts";

const INSTRUCTIONS = "x".repeat(100_000);
const API_KEYS = "acme:0123456789abcdef";

const clientOf = ({ baseUrl, apiKey }: Stack) => new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0 });

const namesIn = async (client: OpenAI) =>
  (await all(client.beta.assistants.list({ limit: 100 }))).map(({ name }) => name).toSorted();

test("what was created is listed and what was refused is not, on a full disk and after it", async (context) => {
  buildIfStale();
  const disk = smallDisk();
  if (!disk) return context.skip(NO_SMALL_DISK);
  const start = () => startStack({ dataDir: path.join(disk.folder, "data"), env: { API_KEYS, MODEL_ENDPOINT: "" } });
  let stack = await start();
  try {
    const client = clientOf(stack);
    const create = (name: string) => client.beta.assistants.create({ model: "m", name, instructions: INSTRUCTIONS });
    const created = ["precious"];
    await create("precious");
    const pids = [stack.processes.cosmos.pid ?? 0];
    disk.fill(pids, 350_000);
    for (;;) {
      const name = `filler${created.length}`;
      const status = await create(name).then(
        () => 200,
        (error: { status?: number }) => error.status,
      );
      if (status !== 200) {
        expect(status).toBe(500);
        break;
      }
      created.push(name);
    }
    expect(created.length).toBeGreaterThan(2);
    expect(await namesIn(client)).toEqual(created.toSorted());
    disk.free(pids);
    for (const name of ["after1", "after2"]) await create(name);
    created.push("after1", "after2");
    expect(await namesIn(client)).toEqual(created.toSorted());
    await stack.stop();
    stack = await start();
    expect(await namesIn(clientOf(stack))).toEqual(created.toSorted());
  } finally {
    await stack.stop();
    disk.remove();
  }
});
