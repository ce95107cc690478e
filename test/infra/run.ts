/**
 * `npm run test:infra`: azd's steps give the same package each time; the real Bicep CLI compiles, lints and formats the
 * templates without a word, and what they would create is what infra/snapshots tells. `-- --update` writes the snapshots
 * and formats the templates instead.
 */
import { execSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { type Answer, type Bicep, findBicep } from "./bicep.ts";
import { packageOf } from "./package.ts";
import { TYPES } from "./rules/rule.ts";
import { Snapshot } from "./snapshot.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const INFRA = path.join(ROOT, "infra");
const QUEUES = "local/service-bus/config.json";

interface Check {
  name: string;
  /** what is wrong; empty if nothing is */
  trouble: string;
}

function report(checks: Check[]): void {
  const failed = checks.filter(({ trouble }) => trouble !== "");
  for (const { name, trouble } of failed) console.error(`not ok  ${name}\n${trouble}`);
  console.log(`infra: ${checks.length - failed.length} passed, ${failed.length} failed`);
  if (failed.length > 0 || checks.length === 0) process.exitCode = 1;
}

/** A warning does not fail a build: so whatever the CLI prints does. */
function templates(bicep: Bicep, infra: string): Check[] {
  const main = path.join(infra, "main.bicep");
  return [
    checked("main.bicep compiles", bicep.build(main, path.join(folder, "main.json"))),
    checked("main.bicep has no lint", bicep.lint(main)),
    checked("the templates can be formatted", bicep.format(infra)),
    ...globSync("**/*.{bicep,bicepparam}", { cwd: infra }).map((file) => {
      const isFormatted = read(path.join(infra, file)) === read(path.join(INFRA, file));
      return { name: `${file} is formatted`, trouble: isFormatted ? "" : "npm run test:infra -- --update formats it" };
    }),
  ];
}

const checked = (name: string, { text, ok }: Answer): Check => ({ name, trouble: ok ? text : text || "bicep failed" });

function snapshots(bicep: Bicep, infra: string): Check[] {
  return globSync("snapshots/*.bicepparam", { cwd: infra }).map((file) => {
    const snapshot = file.replace(/\.bicepparam$/, ".snapshot.json");
    rmSync(path.join(infra, snapshot), { force: true });
    const { trouble } = checked(file, bicep.snapshot(path.join(infra, file)));
    return { name: `${snapshot} is what the templates give`, trouble: trouble || difference(infra, snapshot) };
  });
}

/** Options that cannot be, and the words that the operator reads before anything is created. */
const REFUSED = [
  { options: "", words: "No model: azd env set CHAT_MODEL" },
  { options: "param chatModel = 'm'\nparam appSettings = 'RUN_LIFETIME'", words: "APP_SETTINGS is not NAME=value" },
  {
    options: "param chatModel = 'm'\nparam zoneRedundant = true\nparam workerAlwaysReady = 1",
    words: "HTTP_ALWAYS_READY and WORKER_ALWAYS_READY are 0 or at least 2",
  },
];

function refusals(bicep: Bicep, infra: string): Check[] {
  const file = path.join(infra, "snapshots/refused.bicepparam");
  const always = "using '../main.bicep'\nparam environmentName = 'refused'\nparam location = 'swedencentral'\n";
  return REFUSED.map(({ options, words }) => {
    writeFileSync(file, `${always}${options}\n`);
    const { text, ok } = bicep.snapshot(file);
    return { name: `refused: ${words}`, trouble: !ok && text.includes(words) ? "" : `It was not refused so: ${text}` };
  });
}

/** An option that leaves a resource out leaves its setting empty, too. */
function leftOut(bicep: Bicep, infra: string): Check {
  const file = path.join(infra, "snapshots/without.bicepparam");
  const options = "param chatModel = 'm'\nparam codeSessions = false";
  writeFileSync(
    file,
    `using '../main.bicep'\nparam environmentName = 'w'\nparam location = 'swedencentral'\n${options}\n`,
  );
  const { text, ok } = bicep.snapshot(file);
  const snapshot = ok ? new Snapshot(read(file.replace(/\.bicepparam$/, ".snapshot.json"))) : undefined;
  const isLeftOut = snapshot?.of(TYPES.sessionPool).length === 0 && snapshot.settings.CODE_SESSIONS_ENDPOINT === "";
  return { name: "no pool of sandboxes without CODE_SESSIONS", trouble: isLeftOut ? "" : `There is one: ${text}` };
}

function difference(infra: string, snapshot: string): string {
  const given = readSnapshot(path.join(infra, snapshot));
  const kept = readSnapshot(path.join(INFRA, snapshot));
  const names = new Set([...Object.keys(given), ...Object.keys(kept)]);
  const different = [...names].filter((name) => !isDeepStrictEqual(given[name], kept[name]));
  if (different.length === 0) return "";
  return `They differ in\n  ${different.join("\n  ")}\nnpm run test:infra -- --update writes what the templates give.`;
}

/** Everything in a snapshot by a name that a reader finds it by. */
function readSnapshot(file: string): Record<string, unknown> {
  const { predictedResources, ...rest } = JSON.parse(read(file)) as {
    predictedResources: { id: string }[];
  };
  return { ...rest, ...Object.fromEntries(predictedResources.map((resource) => [resource.id, resource])) };
}

function rewrite(bicep: Bicep | string): Check[] {
  if (typeof bicep === "string") throw new Error(`The snapshots cannot be written: ${bicep}.`);
  const formatted = checked("the templates are formatted", bicep.format(INFRA));
  const written = globSync(path.join(INFRA, "snapshots/*.bicepparam")).map((file) => {
    const check = checked(`the snapshot of ${path.basename(file)} is written`, bicep.snapshot(file));
    if (check.trouble === "") sortOutputs(file.replace(/\.bicepparam$/, ".snapshot.json"));
    return check;
  });
  return [formatted, ...written];
}

/** The CLI writes them in another order each time. */
function sortOutputs(file: string): void {
  const { outputs, ...rest } = JSON.parse(read(file)) as { outputs: Record<string, unknown> };
  const sorted = Object.fromEntries(Object.entries(outputs).sort(([one], [other]) => (one < other ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify({ ...rest, outputs: sorted }, null, 2)}\n`);
}

/** The CLI formats files in place and writes snapshots beside them: so it works on a copy. */
function copyOfInfra(): string {
  const copy = path.join(folder, "copy");
  mkdirSync(path.join(copy, path.dirname(QUEUES)), { recursive: true });
  cpSync(path.join(ROOT, QUEUES), path.join(copy, QUEUES));
  cpSync(INFRA, path.join(copy, "infra"), { recursive: true });
  return path.join(copy, "infra");
}

/** azd's order: the hook `prepackage`, the language's own build, then a zip of the folder that azure.yaml names. */
function packaging(): Check {
  const [first, second] = [1, 2].map(() => {
    for (const step of ["npm run bundle", "npm run build"]) execSync(step, { cwd: ROOT, stdio: "ignore" });
    return packageOf(path.join(ROOT, "dist/deploy"));
  });
  const isSame = isDeepStrictEqual(first, second) && Object.keys(first ?? {}).length > 0;
  return { name: "the package", trouble: isSame ? "" : "azd package gives another zip for the same sources" };
}

function check(bicep: Bicep | string): Check[] {
  if (typeof bicep === "string") {
    console.log(`test:infra does not compile the templates: ${bicep}.`);
    return [packaging()];
  }
  const infra = copyOfInfra();
  return [
    packaging(),
    ...templates(bicep, infra),
    ...snapshots(bicep, infra),
    ...refusals(bicep, infra),
    leftOut(bicep, infra),
  ];
}

const read = (file: string) => readFileSync(file, "utf8");

const { update } = parseArgs({ options: { update: { type: "boolean", default: false } } }).values;
const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-infra-"));
try {
  const bicep = findBicep(folder);
  report(update ? rewrite(bicep) : check(bicep));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
