import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { Program } from "./program.ts";

afterAll(() => Program.killAll());

const demo = (env: Record<string, string> = {}) => new Program(["local/demo.ts"], { CODE_PACKAGES: "off", ...env });

test("the demo calls a function, searches a real PDF, and has code draw a chart and write a file", async () => {
  const { ended, output } = await finished(demo());
  expect(ended).toBe(0);
  expect(output).toMatch(/^function {3}get_weather\(/m);
  expect(output).toMatch(/^assistant {2}.*Before the first frost, empty the pump.*【4:0†kestrel-3-manual\.pdf】\.$/m);
  expect(output).toMatch(/^citation {3}【4:0†kestrel-3-manual\.pdf】 is kestrel-3-manual\.pdf$/m);
  expect(output).toMatch(/^logs {7}\{'North': 55\.0, 'South': 87\.0, 'West': 44\.0\}$/m);
  expect(output).toMatch(/^image {6}file-\w+: \d+ bytes, now in /m);
  expect(output).toContain('sandbox:/mnt/data/totals.csv is "North,55.0\\r\\nSouth,87.0\\r\\nWest,44.0\\r\\n"');
}, 120_000);

test("where the embedding model is not found, the demo says so and fails", async () => {
  const nothing = createServer((_, response) => void response.writeHead(404).end()).listen(0, "127.0.0.1");
  await once(nothing, "listening");
  onTestFinished(() => void nothing.close());
  const { port } = nothing.address() as AddressInfo;
  const env = { EMBEDDING_ENDPOINT: `http://127.0.0.1:${port}/v1`, EMBEDDING_KEY: "any" };
  const { ended, output } = await finished(demo(env));
  expect(ended).toBe(1);
  expect(output).toContain("The manual was not read");
}, 60_000);

async function finished(program: Program) {
  const [ended] = await program.ended;
  return { ended, output: program.output };
}
