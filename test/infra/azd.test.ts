/**
 * What azd does with azure.yaml, and what its hooks do: facts of azd 1.31 (its schema, its package `rzip`, and
 * `service_target_functionapp.go` at https://github.com/Azure/azure-dev).
 */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { digestOf } from "../../src/access-settings.ts";
import { readConfig } from "../../src/config.ts";
import { packageOf } from "./package.ts";
import { PROJECT, valuesAt } from "./snapshot.ts";

const read = (file: string) => readFileSync(path.join(PROJECT, file), "utf8");
const azureYaml: unknown = parse(read("azure.yaml"));
const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), "threadkeep-azd-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

/** Without the settings of whose machine this is. */
const BARE = Object.fromEntries(["PATH", "HOME", "TMPDIR"].map((name) => [name, process.env[name]]));

interface Ended {
  code: number;
  output: string;
}

function run(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { env, cwd: PROJECT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

describe("azure.yaml", () => {
  const [service] = valuesAt(azureYaml, "services.api");

  test("has only what azd's schema knows", () => {
    const known = {
      "": ["name", "requiredVersions", "hooks", "services"],
      requiredVersions: ["azd"],
      hooks: ["preprovision", "postdeploy"],
      services: ["api"],
      "services.api": ["project", "language", "host", "dist", "remoteBuild", "hooks"],
      "services.api.hooks": ["prepackage"],
      "services.api.hooks.prepackage": ["shell", "run", "windows"],
    };
    for (const [where, keys] of Object.entries(known)) {
      const [found] = where === "" ? [azureYaml] : valuesAt(azureYaml, where);
      expect(Object.keys(Object(found)).sort(), where).toEqual([...keys].sort());
    }
  });

  test("deploys a function app whose package is what npm run bundle makes", () => {
    expect(service).toMatchObject({ host: "function", language: "ts", dist: "dist/deploy", remoteBuild: false });
    expect(valuesAt(service, "hooks.prepackage.run")).toEqual(["npm run bundle"]);
    expect(scripts.bundle).toBe("node infra/bundle.ts");
    expect(read("infra/bundle.ts")).toContain('"dist/deploy"');
  });

  test("builds nothing in Azure: there is no .funcignore, which would say otherwise", () => {
    expect(existsSync(path.join(PROJECT, ".funcignore"))).toBe(false);
  });

  test("names hooks that there are, as JavaScript: azd loads a compiler for TypeScript from the network", () => {
    const hooks = [...valuesAt(azureYaml, "hooks.preprovision.run"), ...valuesAt(azureYaml, "hooks.postdeploy.run")];
    expect(hooks.map((hook) => path.extname(String(hook)))).toEqual([".js", ".js"]);
    expect(hooks.filter((hook) => !existsSync(path.join(PROJECT, String(hook))))).toEqual([]);
  });
});

describe("the package", () => {
  test("is the same to the byte and the second each time, and holds no node_modules", async () => {
    const packages = [];
    for (const made of [folder(), folder()]) {
      const { code, output } = await run(process.execPath, ["infra/bundle.ts", "--out", made], process.env);
      expect(code, output).toBe(0);
      packages.push(packageOf(made));
    }
    const [first = {}, second] = packages;
    expect(second).toEqual(first);
    const names = Object.keys(first);
    expect(names).toEqual(expect.arrayContaining(["host.json", "package.json", "functions/http.js"]));
    expect(names.filter((name) => /node_modules|local\.settings|\.ts$|\.map$/.test(name))).toEqual([]);
  });

  test("has a digest in which a changed byte, time or file shows", () => {
    const made = folder();
    writeFileSync(path.join(made, "host.json"), "{}");
    const before = packageOf(made);
    writeFileSync(path.join(made, "host.json"), "{ }");
    expect(packageOf(made)).not.toEqual(before);
    writeFileSync(path.join(made, "more.js"), "");
    expect(Object.keys(packageOf(made))).toEqual(["host.json", "more.js"]);
  });
});

describe("before anything is created", () => {
  /** Runs the hook with a program in azd's place that keeps what it was called with, and the file that it was given. */
  async function preprovision(env: Record<string, string>) {
    const place = folder();
    const azd = path.join(place, "azd");
    const script = `import { readFileSync, statSync, writeFileSync } from "node:fs";
const args = process.argv.slice(2);
const file = args[args.indexOf("--file") + 1];
const mode = (statSync(file).mode & 0o777).toString(8);
writeFileSync(${JSON.stringify(`${place}/calls`)}, JSON.stringify({ args, file, mode, text: readFileSync(file, "utf8") }));`;
    writeFileSync(path.join(place, "azd.mjs"), script);
    writeFileSync(azd, `#!/bin/sh\nexec "${process.execPath}" "${place}/azd.mjs" "$@"\n`);
    chmodSync(azd, 0o755);
    const given = { ...BARE, PATH: `${place}${path.delimiter}${BARE.PATH}`, ...env };
    const ended = await run(process.execPath, ["infra/hooks/preprovision.js"], given);
    const calls = path.join(place, "calls");
    const call = existsSync(calls)
      ? (JSON.parse(readFileSync(calls, "utf8")) as { args: string[]; file: string; mode: string; text: string })
      : undefined;
    return { ...ended, call };
  }

  const MODEL = { MODEL_ENDPOINT: "https://m.openai.azure.com/openai/v1" };

  test("a key is made that the app takes, and neither printed nor given as an argument", async () => {
    const { code, output, call } = await preprovision({ ...MODEL, AZURE_ENV_NAME: "mine" });
    expect(code, output).toBe(0);
    const keys = /^API_KEYS="(.*)"\n$/.exec(call?.text ?? "")?.[1] ?? "";
    const settings = { COSMOS_ENDPOINT: "https://c", MODEL_ENDPOINT: "https://m", ServiceBusConnection: "x" };
    const [, key = ""] = keys.split(":");
    expect(key).toMatch(/^tk-[\w-]{43}$/);
    expect(readConfig({ ...settings, API_KEYS: keys }).apiKeys).toEqual([{ tenant: "default", digest: digestOf(key) }]);
    expect(output).not.toContain(key);
    expect(call?.args.join(" ")).not.toContain(key);
    expect(call?.args).toEqual(["env", "set", "--file", call?.file, "--environment", "mine"]);
    expect(call?.mode).toBe("600");
    expect(existsSync(call?.file ?? "")).toBe(false);
  });

  test.each([
    ["there are keys", { API_KEYS: "default:tk-0123456789abcdef" }],
    ["a vault has keys", { AZURE_KEY_VAULT_NAME: "kv-1" }],
  ])("no key is made where %s already", async (_, env) => {
    expect(await preprovision({ ...MODEL, ...env })).toMatchObject({ code: 0, call: undefined });
  });

  test("a pipeline must bring its keys", async () => {
    const { code, output, call } = await preprovision({ ...MODEL, CI: "true" });
    expect({ code, call }).toEqual({ code: 1, call: undefined });
    expect(output).toContain("Give it to the pipeline as a secret");
  });

  test("it stops without a model, and says what to do", async () => {
    const { code, output } = await preprovision({});
    expect(code).toBe(1);
    expect(output).toContain("azd env set CHAT_MODEL");
  });

  test("it tells of an endpoint without a key that is none of Azure's", async () => {
    const { output } = await preprovision({ MODEL_ENDPOINT: "https://api.openai.com/v1", API_KEYS: "a:b" });
    expect(output).toContain("without a key");
  });
});

describe("when the app is deployed", () => {
  async function postdeploy(listener: RequestListener, env: Record<string, string> = {}) {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const given = { THREADKEEP_BASE_URL: baseUrl, AZURE_KEY_VAULT_NAME: "kv-1", THREADKEEP_PATIENCE_MS: "200" };
    const ended = await run(process.execPath, ["infra/hooks/postdeploy.js"], { ...BARE, ...given, ...env });
    return { ...ended, baseUrl };
  }

  test("it says the base URL, where the key is, and how to call, without the key", async () => {
    const key = "tk-0123456789abcdef";
    const { code, output, baseUrl } = await postdeploy((_, response) => response.end(), {
      API_KEYS: `default:${key}`,
      CHAT_MODEL: "gpt-x",
    });
    expect(code, output).toBe(0);
    expect(output).toContain(`curl ${baseUrl}/assistants`);
    expect(output).toContain("azd env get-value API_KEYS");
    expect(output).toContain("kv-1");
    expect(output).toContain('"model": "gpt-x"');
    expect(output).not.toContain(key);
  });

  test("it waits until the app is healthy", async () => {
    let looks = 0;
    const { code } = await postdeploy((_, response) => response.writeHead(++looks < 3 ? 503 : 200).end(), {
      THREADKEEP_PATIENCE_MS: "10000",
    });
    expect({ code, looks }).toEqual({ code: 0, looks: 3 });
  });

  test("it fails where the app does not become healthy, with the app's own words", async () => {
    const { code, output } = await postdeploy((_, response) => response.writeHead(503).end("no store"));
    expect(code).toBe(1);
    expect(output).toContain("503 no store");
    expect(output).toContain("docs/deploy.md");
  });
});

describe("the workflows", () => {
  const workflows = globSync(".github/workflows/*.yml", { cwd: PROJECT }).sort();

  test("are one that checks and one that deploys", () => {
    expect(workflows.map((file) => path.basename(file))).toEqual(["ci.yml", "deploy.yml"]);
  });

  test("the one that checks runs what a developer runs, and nothing may write", () => {
    const ci: unknown = parse(read(".github/workflows/ci.yml"));
    expect(valuesAt(ci, "jobs.check.steps[].run").filter((command) => command !== undefined)).toEqual([".ci/run"]);
    expect(valuesAt(ci, "permissions")).toEqual([{ contents: "read" }]);
  });

  test("the one that deploys signs in without a password, and only with an approval", () => {
    const deploy: unknown = parse(read(".github/workflows/deploy.yml"));
    expect(valuesAt(deploy, "jobs.deploy.permissions.id-token")).toEqual(["write"]);
    expect(valuesAt(deploy, "jobs.deploy.environment")).toEqual(["production"]);
    expect(read(".github/workflows/deploy.yml")).not.toMatch(/AZURE_CREDENTIALS|client-secret/);
    const secrets = Array.from(read(".github/workflows/deploy.yml").matchAll(/secrets\.(\w+)/g), ([, name]) => name);
    expect(secrets).toEqual(["API_KEYS", "MODEL_KEY", "EMBEDDING_KEY"]);
  });
});
