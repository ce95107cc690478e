/**
 * What is deployed: the app as a few files without node_modules, in dist/deploy (`npm run bundle`, or `-- --out DIR`).
 * A cold start is faster the less it has to read: what the first request does not need is in separate chunks, which the
 * app loads at their first use. The same sources give the same files to the byte and the second, and so the same zip.
 */
import { cp, mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { type OutputChunk, type RolldownOutput, rolldown } from "rolldown";

const PROJECT = path.dirname(import.meta.dirname);

const { values: options } = parseArgs({
  options: { out: { type: "string", default: path.join(PROJECT, "dist/deploy") } },
});
const output = path.resolve(options.out);
const sources = (await readdir(path.join(PROJECT, "functions"))).filter((name) => name.endsWith(".ts"));

/** Started as threads or processes by chunks beside them; no functions, so they are not among the functions. */
const STARTED: Record<string, string> = {
  "tokenizer-thread": "src/model/tokenizer-thread.ts",
  "chunk-thread": "src/ingest/chunk-thread.ts",
  "reading-process": "src/ingest/read/reading-process.ts",
};

const bundle = await rolldown({
  cwd: PROJECT,
  input: {
    ...Object.fromEntries(sources.map((name) => [path.parse(name).name, `functions/${name}`])),
    ...STARTED,
  },
  platform: "node",
  // Else modules could not be put together without all that they import (`codeSplitting` below).
  preserveEntrySignatures: "allow-extension",
  // Not a package of npm: the Functions worker process provides this module to the app.
  external: ["@azure/functions-core"],
  // Of modules in both forms, the one whose unused parts can be left out.
  resolve: { mainFields: ["module", "main"] },
  tsconfig: false,
});
const ofStart = modulesOfStart(await bundle.generate({ format: "esm" }));
await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
await bundle.write({
  dir: output,
  format: "esm",
  entryFileNames: ({ name }) => (name in STARTED ? "chunks/[name].js" : "functions/[name].js"),
  chunkFileNames: "chunks/[name]-[hash].js",
  codeSplitting: {
    includeDependenciesRecursively: false,
    groups: [{ name: "functions", test: (module) => ofStart.has(module) }],
  },
  minify: {
    compress: true,
    // Names of functions and classes stand in errors, logs and stack traces.
    mangle: { toplevel: true, keepNames: { function: true, class: true } },
    codegen: { removeWhitespace: true },
  },
});
await bundle.close();

/**
 * What the start of the app loads, and nothing else does that must be small: one file of a megabyte is loaded faster
 * than thirty that have as much.
 */
function modulesOfStart({ output }: RolldownOutput): Set<string> {
  const chunks = new Map(output.filter((part) => part.type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const entries = [...chunks.values()].filter(({ isEntry }) => isEntry);
  const elsewhere = loadedBy(
    entries.filter(({ name }) => name in STARTED),
    ({ imports, dynamicImports }) => [...imports, ...dynamicImports],
  );
  const functions = entries.filter(({ name }) => !(name in STARTED));
  const parts = [...loadedBy(functions, ({ imports }) => imports)].filter(
    (part) => !part.isEntry && !elsewhere.has(part),
  );
  return new Set(parts.flatMap(({ moduleIds }) => moduleIds));

  function loadedBy(first: OutputChunk[], next: (chunk: OutputChunk) => string[]): Set<OutputChunk> {
    const loaded = new Set(first);
    for (const chunk of loaded) {
      // Of what is imported, the parts of Node are no chunks.
      for (const part of next(chunk).flatMap((file) => chunks.get(file) ?? [])) loaded.add(part);
    }
    return loaded;
  }
}

const { name, version, license } = JSON.parse(await readFile(path.join(PROJECT, "package.json"), "utf8"));
const manifest = { name, version, license, private: true, type: "module", main: "functions/*.js" };
await writeFile(path.join(output, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await cp(path.join(PROJECT, "host.json"), path.join(output, "host.json"));

// A zip holds the times of its files.
const SAME_TIME = new Date("2000-01-01T00:00:00Z");
for (const entry of await readdir(output, { recursive: true })) {
  await utimes(path.join(output, entry), SAME_TIME, SAME_TIME);
}
