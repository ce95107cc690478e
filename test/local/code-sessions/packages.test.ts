/** Packages that the server fetches for its sessions: a wheel that this test makes, from a server of its own. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { strToU8, zipSync } from "fflate";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { PackageMode } from "../../../local/code-sessions/packages.ts";
import { type CodeSessions, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { CODE_CACHE } from "../../../local/stack-code.ts";
import { Caller, javaScript, KEY } from "./caller.ts";

const LONGEST_PREPARATION = 180_000;
// A session begins within a second, or within ten on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 60_000 });
const LOCK = path.join(import.meta.dirname, "../../../node_modules/pyodide/pyodide-lock.json");

interface Wheel {
  name: string;
  module: string;
  source: string;
  depends?: string[];
}

const WHEELS: Wheel[] = [
  { name: "base-numbers", module: "basenumbers", source: "SEVEN = 7\n" },
  {
    name: "far-numbers",
    module: "farnumbers",
    source: "from basenumbers import SEVEN\nDOUBLE = SEVEN * 2\n",
    depends: ["base-numbers"],
  },
  { name: "forged", module: "forged", source: "REACHED = True\n" },
  { name: "not-offered", module: "notoffered", source: "REACHED = True\n" },
];
const OFFERED = ["base-numbers", "far-numbers", "forged"];

let folder: string;
let lockFile: string;
let source: Server;
const fetched: string[] = [];
const files = new Map<string, Uint8Array>();
const servers: CodeSessions[] = [];

const fileNameOf = ({ name }: Wheel) => `${name.replace("-", "_")}-1.0-py3-none-any.whl`;

function wheelOf({ name, module, source: text }: Wheel): Uint8Array {
  const info = `${name.replace("-", "_")}-1.0.dist-info`;
  const metadata = `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`;
  const wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
  return zipSync({
    [`${module}.py`]: strToU8(text),
    [`${info}/METADATA`]: strToU8(metadata),
    [`${info}/WHEEL`]: strToU8(wheel),
    [`${info}/RECORD`]: strToU8(""),
  });
}

function entryOf(wheel: Wheel, bytes: Uint8Array) {
  return {
    name: wheel.name,
    version: "1.0",
    file_name: fileNameOf(wheel),
    install_dir: "site",
    sha256: createHash("sha256").update(bytes).digest("hex"),
    package_type: "package",
    imports: [wheel.module],
    depends: wheel.depends ?? [],
    unvendored_tests: false,
  };
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "packages-"));
  const { info } = JSON.parse(await readFile(LOCK, "utf8"));
  const packages = Object.fromEntries(
    WHEELS.map((wheel) => {
      const bytes = wheelOf(wheel);
      // What the source has under this name is not what the list promises.
      files.set(
        `/${fileNameOf(wheel)}`,
        wheel.name === "forged" ? wheelOf({ ...wheel, source: "REACHED = 1\n" }) : bytes,
      );
      return [wheel.name, entryOf(wheel, bytes)];
    }),
  );
  lockFile = path.join(folder, "lock.json");
  await writeFile(lockFile, JSON.stringify({ info, packages }));
  source = createServer((request, response) => {
    const bytes = files.get(request.url ?? "");
    if (request.method === "GET") fetched.push(request.url ?? "");
    response.writeHead(bytes ? 200 : 404).end(request.method === "HEAD" ? undefined : bytes);
  }).listen(0, "127.0.0.1");
  await once(source, "listening");
}, LONGEST_PREPARATION);

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  source?.close();
  await rm(folder, { recursive: true });
});

async function serverWith(packages: PackageMode, wheelFolder = path.join(folder, "wheels")) {
  const { port } = source.address() as AddressInfo;
  const wheels = { source: `http://127.0.0.1:${port}/`, lockFile, offered: OFFERED };
  const server = await startCodeSessions({
    key: KEY,
    cache: CODE_CACHE,
    wheelFolder,
    packages,
    wheels,
    keepsSpare: false,
  });
  servers.push(server);
  const caller = new Caller(server.endpoint);
  const { body } = await caller.send<{ preInstalledPackages: { name: string; version: string }[] }>(
    "GET",
    caller.url("/metadata"),
  );
  return { server, caller, told: body.preInstalledPackages.map(({ name, version }) => `${name} ${version}`) };
}

test(
  "with fetch, an import brings the package and what it needs, once for all sessions",
  async () => {
    const { server, caller, told } = await serverWith("fetch");
    expect(told).toEqual(["base-numbers 1.0", "far-numbers 1.0", "forged 1.0"]);
    expect(fetched).toEqual([]);
    expect(await caller.value("one-session", "from farnumbers import DOUBLE\nDOUBLE")).toBe(14);
    // As the driver does it: a module that is imported by code which is made while the cell runs.
    const nested = "import base64; exec(base64.b64decode('aW1wb3J0IGJhc2VudW1iZXJz')); basenumbers.SEVEN";
    expect(await caller.value("other-session", nested)).toBe(7);
    expect((await server.stats()).starts).toMatchObject({ fallback: 0 });
    expect(fetched.sort()).toEqual(["/base_numbers-1.0-py3-none-any.whl", "/far_numbers-1.0-py3-none-any.whl"]);
    // In a coroutine, too.
    const inTask =
      "import asyncio\nasync def task():\n  import basenumbers\n  return basenumbers.SEVEN\nasyncio.run(task())";
    expect(await caller.value("third-session", inTask)).toBe(7);
    const failure = async (python: string) => (await caller.execute("one-session", python)).body.result?.stderr;
    expect(await failure("import forged")).toContain(
      "ModuleNotFoundError: No module named 'forged': forged cannot be had here now",
    );
    expect(await failure("import forged")).toContain("Do without it");
    // Code that tries, or asks, and does without is served.
    expect(await caller.value("one-session", "import importlib.util; importlib.util.find_spec('forged') is None")).toBe(
      true,
    );
    expect(
      await caller.value("one-session", "try:\n  import forged\nexcept ImportError as no:\n  name = no.name\nname"),
    ).toBe("forged");
    expect(await failure("import notoffered")).toContain("ModuleNotFoundError");
    expect(await caller.value("one-session", "import farnumbers; farnumbers.DOUBLE")).toBe(14);
    expect((await readdir(path.join(folder, "wheels"))).sort()).toEqual([
      "base_numbers-1.0-py3-none-any.whl",
      "far_numbers-1.0-py3-none-any.whl",
    ]);
  },
  LONGEST_PREPARATION,
);

test("a session that asks for packages by forged frames gets what is offered, and nothing else is asked for", async () => {
  const { caller } = await serverWith("fetch", path.join(folder, "for-forgers"));
  fetched.length = 0;
  const names = ["not-offered", "../../etc/passwd", "http://127.0.0.1/x", "__proto__"];
  const frames = names.map((need) => JSON.stringify({ id: 1, need, bytes: 0 }));
  const forged = `for (const text of ${JSON.stringify(frames)}) {
    const head = new TextEncoder().encode(text); const all = new Uint8Array(4 + head.length);
    new DataView(all.buffer).setUint32(0, head.length); all.set(head, 4); Deno.stdout.writeSync(all); } ""`;
  await caller.execute("forger", `${javaScript(forged)}\nimport time; time.sleep(0.1)`);
  expect(fetched).toEqual([]);
  await expect(readdir(path.join(folder, "for-forgers"))).rejects.toThrow("ENOENT");
});

test(
  "with cache, there is what was fetched before, if it is still whole",
  async () => {
    fetched.length = 0;
    const { caller, told } = await serverWith("cache");
    expect(told).toEqual(["base-numbers 1.0", "far-numbers 1.0"]);
    expect(await caller.value("one-session", "import farnumbers; farnumbers.DOUBLE")).toBe(14);
    await writeFile(path.join(folder, "wheels", "far_numbers-1.0-py3-none-any.whl"), "something else");
    expect((await serverWith("cache")).told).toEqual(["base-numbers 1.0"]);
    expect(fetched).toEqual([]);
  },
  LONGEST_PREPARATION,
);

test("without a source nothing is promised, and with off nothing is there", async () => {
  const empty = path.join(folder, "empty");
  expect((await serverWith("off")).told).toEqual([]);
  files.clear();
  expect((await serverWith("fetch", empty)).told).toEqual([]);
});
