/** What browsers are told of pages that may call the app: as ASP.NET's middleware has it, which the host uses. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Cors, type CorsSettings } from "../../../local/functions/cors.ts";
import { loadLocalSettings } from "../../../local/functions/settings.ts";

const ONE = { origins: "http://localhost:3000", credentials: false };
const TWO = { origins: "http://localhost:3000,http://localhost:4000", credentials: true };
const ALL = { origins: "*", credentials: false };

/** The status and the headers of CORS of an answer; a request that is no preflight reaches the app, which says 418. */
async function answered(settings: CorsSettings, method: string, headers: Record<string, string>) {
  const cors = new Cors(settings);
  const server = createServer((request, response) => {
    if (!cors.answers(request, response)) response.writeHead(418).end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const response = await fetch(`http://127.0.0.1:${port}/v1/threads`, { method, headers });
  const told = [...response.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary");
  return { status: response.status, ...Object.fromEntries(told) };
}

const preflight = (origin: string) => ({
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type",
});

it("answers a preflight of a page that may call, with what it asked for", async () => {
  expect(await answered(ONE, "OPTIONS", preflight("http://localhost:3000"))).toEqual({
    status: 204,
    "access-control-allow-origin": "http://localhost:3000",
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization,content-type",
  });
  expect(await answered(TWO, "OPTIONS", preflight("http://localhost:4000"))).toMatchObject({
    "access-control-allow-origin": "http://localhost:4000",
    "access-control-allow-credentials": "true",
    vary: "Origin",
  });
  expect(await answered(ALL, "OPTIONS", preflight("http://anywhere"))).toMatchObject({
    "access-control-allow-origin": "*",
  });
});

it("answers the preflight of another page without a word that would let it call", async () => {
  expect(await answered(ONE, "OPTIONS", preflight("http://localhost:3001"))).toEqual({ status: 204 });
});

it("lets every request itself through, and names the page in its answer if it may read that", async () => {
  const allowed = { "access-control-allow-origin": "http://localhost:3000" };
  expect(await answered(ONE, "POST", { origin: "http://localhost:3000" })).toEqual({ status: 418, ...allowed });
  expect(await answered(ONE, "POST", { origin: "http://localhost:3001" })).toEqual({ status: 418 });
  expect(await answered(ONE, "POST", {})).toEqual({ status: 418 });
  // An OPTIONS request that asks for no method is no preflight.
  expect(await answered(ONE, "OPTIONS", { origin: "http://localhost:3000" })).toEqual({ status: 418, ...allowed });
});

it("refuses credentials for every page", () => {
  expect(() => new Cors({ origins: "*", credentials: true })).toThrow("CORS with credentials needs origins");
});

it("reads the part Host of local.settings.json, as Core Tools do", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "cors-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  expect(await loadLocalSettings(folder)).toEqual({ cors: undefined, corsCredentials: false });
  const host = { LocalHttpPort: 7071, CORS: "http://localhost:3000", CORSCredentials: true };
  await writeFile(path.join(folder, "local.settings.json"), JSON.stringify({ Values: {}, Host: host }));
  expect(await loadLocalSettings(folder)).toEqual({ cors: "http://localhost:3000", corsCredentials: true });
});
