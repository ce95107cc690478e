import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { childrenOf, commandOf, isAlive } from "./processes.ts";
import { Program } from "./program.ts";

const appDir = path.join(import.meta.dirname, "app");
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "start-"));
});
afterAll(async () => {
  Program.killAll();
  await rm(dataDir, { recursive: true });
});

/** Which process started which and who holds a port is read from /proc. */
const linuxTest = test.skipIf(process.platform !== "linux");

const start = (env: Record<string, string> = {}) =>
  new Program(["local/start.ts", "--data", dataDir, "--app", appDir], env);

linuxTest("it says how to reach the app, keeps its key for the next start, and stops without a trace", async () => {
  const first = start();
  await first.says("Threadkeep is running");
  await first.says("-d '{");
  const key = (await readFile(path.join(dataDir, "api-key"), "utf8")).trim();
  expect((await stat(path.join(dataDir, "api-key"))).mode & 0o777).toBe(0o600);
  const baseUrl = first.output.match(/Base URL {2}(\S+)/)?.[1] ?? "";
  expect(first.output).toContain(`API key   ${key}\n`);
  expect(first.output).toContain(`curl ${baseUrl}/assistants -H "Authorization: Bearer ${key}"`);
  expect(first.output).toContain("simulated model");
  expect(first.output).toContain("Code      Python in a local sandbox, which fetches numpy and others at first use\n");
  expect(await (await fetch(`${baseUrl}/settings`)).json()).toMatchObject({ API_KEYS: `local:${key}` });

  const children = childrenOf(first.pid);
  expect(children).toHaveLength(6);
  const before = first.output;
  first.child.kill("SIGINT");
  expect(await first.ended).toEqual([0, null]);
  expect(children.some(isAlive)).toBe(false);
  expect(first.output).toBe(before);

  const second = start();
  await second.says(`API key   ${key}\n`);
  second.child.kill("SIGTERM");
  expect(await second.ended).toEqual([0, null]);
});

linuxTest("a server that dies ends it with 1 and says which one it was", async () => {
  const program = start({ API_KEYS: "acme:given" });
  await program.says("API key   given\n");
  const children = childrenOf(program.pid);
  const model = children.find((pid) => commandOf(pid).includes("local/model/main.ts")) ?? 0;
  process.kill(model, "SIGKILL");
  expect(await program.ended).toEqual([1, null]);
  expect(program.output).toContain("model died (killed by SIGKILL). Its last lines:\nmodel ready on");
  expect(children.some(isAlive)).toBe(false);
});

linuxTest("a digest is not shown as if it were a key", async () => {
  const program = start({ API_KEYS: `acme:sha256:${"0".repeat(64)}` });
  await program.says("API key   yours (API_KEYS holds digests only)\n");
  await program.says('"Authorization: Bearer YOUR_KEY"');
  program.child.kill("SIGINT");
  expect(await program.ended).toEqual([0, null]);
});

linuxTest("Ctrl-C while it starts ends it with 0 and leaves nothing behind", async () => {
  const program = start();
  await vi.waitFor(() => expect(childrenOf(program.pid)).not.toEqual([]), { timeout: 5000, interval: 5 });
  const children = childrenOf(program.pid);
  program.child.kill("SIGINT");
  expect(await program.ended).toEqual([0, null]);
  expect(children.some(isAlive)).toBe(false);
});

linuxTest(
  "a busy port is named with the process that holds it, the variable and the option that change it",
  async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" ? String(address?.port) : "";
    const program = start({ COSMOS_PORT: port });
    expect(await program.ended).toEqual([1, null]);
    expect(program.output).toContain(`Cosmos DB needs port ${port}, but process ${process.pid} (`);
    expect(program.output).toContain("Set COSMOS_PORT, or -- --cosmos-port N, to move it.");
    holder.close();
  },
);

linuxTest("servers end by themselves when the process that started them is killed", async () => {
  const parent = new Program([path.join(import.meta.dirname, "parent.ts")]);
  await parent.says("]");
  const pids: number[] = JSON.parse(parent.output);
  expect(pids.every(isAlive)).toBe(true);
  parent.child.kill("SIGKILL");
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 10_000, interval: 20 });
});

linuxTest("under npm it stops when the shell between npm and it is killed", async () => {
  const command = `"${process.execPath}" local/start.ts --data "${dataDir}" --app "${appDir}"; exit`;
  const shell = new Program(["-c", command], { npm_lifecycle_event: "start" }, "sh");
  await shell.says("Threadkeep is running");
  const pids = childrenOf(shell.pid);
  pids.push(...pids.flatMap(childrenOf));
  expect(pids).toHaveLength(7);
  shell.child.kill("SIGTERM");
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 10_000, interval: 20 });
});
