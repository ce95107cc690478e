/**
 * Packages besides Python's own library. npm has none of the wheels that need compiling for Pyodide, so this server
 * gets them from Pyodide's own server when a session imports one, checks them against pyodide-lock.json and keeps them.
 * The sandboxes have no network.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

/** off: Python's own library only. cache: also what is in the folder. fetch: also what can be fetched. */
export const PACKAGE_MODES = ["off", "cache", "fetch"] as const;
export type PackageMode = (typeof PACKAGE_MODES)[number];

export interface PackagesOptions {
  mode: PackageMode;
  folder: string;
  lockFile: string;
  /** Where the wheels are, with a slash at its end. */
  source: string;
  /** Names of the packages that sessions may ask for; what they depend on comes along. */
  offered?: readonly string[];
}

export interface Package {
  name: string;
  version: string;
}

/** What people analyse data with, as far as Pyodide has it. */
export const OFFERED = [
  ...["numpy", "pandas", "matplotlib", "pillow", "scipy", "scikit-learn", "sympy", "statsmodels", "lxml"],
  ...["beautifulsoup4", "networkx", "xlrd", "pyyaml", "regex", "python-dateutil", "pytz", "six"],
];

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string(),
      version: z.string(),
      file_name: z.string().regex(/^[\w.+-]+$/),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      imports: z.array(z.string()).default([]),
      depends: z.array(z.string()).default([]),
    }),
  ),
});

type Entry = z.output<typeof lockSchema>["packages"][string];

/** Milliseconds for a wheel; the largest have some 20 MB. */
const LONGEST_FETCH = 120_000;
const LONGEST_PROBE = 3000;
const LARGEST_WHEEL = 200_000_000;
/** How long a failure, or the answer whether the source can be reached, is remembered. Milliseconds. */
const MEMORY = 60_000;

export class Packages {
  readonly #options: PackagesOptions;
  readonly #entries: Record<string, Entry>;
  /** Package names by module names. */
  readonly imports: Record<string, string> = {};
  readonly #provided = new Map<string, Promise<boolean>>();
  #reachable: { at: number; answer: Promise<boolean> } | undefined;

  /** Reads the lock file. Throws if it is none. */
  constructor(options: PackagesOptions) {
    this.#options = options;
    const isOff = options.mode === "off";
    this.#entries = isOff ? {} : lockSchema.parse(JSON.parse(readFileSync(options.lockFile, "utf8"))).packages;
    for (const { name, imports } of this.#offered) for (const module of imports) this.imports[module] = name;
  }

  /** The folder that sandboxes may read, if they may load packages at all. */
  get folder(): string | undefined {
    return this.#options.mode === "off" ? undefined : this.#options.folder;
  }

  /** What a session can import now: kept already, or to be had as far as the source answers. */
  async available(): Promise<Package[]> {
    const kept = await Promise.all(this.#offered.map((entry) => this.#isKept(entry)));
    const all = kept.includes(false) && (await this.#canFetch());
    return this.#offered.filter((_, index) => all || kept[index]).map(({ name, version }) => ({ name, version }));
  }

  /** Brings an offered package and what it needs into the folder. False if that is not possible. */
  provide(name: string): Promise<boolean> {
    const known = this.#provided.get(name);
    if (known) return known;
    const entry = this.#offered.find((offered) => offered.name === name);
    if (entry === undefined) return Promise.resolve(false);
    const answer = this.#bring(this.#needed(entry));
    this.#provided.set(name, answer);
    void answer.then((isThere) => {
      if (!isThere) setTimeout(() => this.#provided.delete(name), MEMORY).unref();
    });
    return answer;
  }

  get #offered(): Entry[] {
    const names = this.#options.offered ?? OFFERED;
    return names.flatMap((name) => this.#entries[name] ?? []);
  }

  /** A package with all that it depends on. */
  #needed(entry: Entry, found = new Set<Entry>()): Set<Entry> {
    found.add(entry);
    for (const name of entry.depends) {
      const other = this.#entries[name];
      if (other && !found.has(other)) this.#needed(other, found);
    }
    return found;
  }

  async #bring(entries: Set<Entry>): Promise<boolean> {
    for (const entry of entries) {
      if (await this.#isWhole(entry)) continue;
      if (this.#options.mode !== "fetch") return false;
      const problem = await this.#fetch(entry).catch(reasonOf);
      if (problem === undefined) continue;
      console.log(
        `The package ${entry.name} could not be fetched from ${new URL(this.#options.source).host}: ${problem}. ` +
          "Code goes on without it; it is asked for again in a minute at the earliest.",
      );
      return false;
    }
    return true;
  }

  /** Undefined if the wheel is in the folder now, else why not. */
  async #fetch({ file_name: name, sha256 }: Entry): Promise<string | undefined> {
    const response = await fetch(new URL(name, this.#options.source), { signal: AbortSignal.timeout(LONGEST_FETCH) });
    if (!response.ok || response.body === null) return `status ${response.status}`;
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of response.body) {
      size += piece.length;
      if (size > LARGEST_WHEEL) return "it is too large";
      pieces.push(piece);
    }
    const wheel = Buffer.concat(pieces);
    if (hashOf(wheel) !== sha256) return "its hash is not the one in the lock file";
    const file = path.join(this.#options.folder, name);
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.${process.pid}`, wheel, { mode: 0o600 });
    await rename(`${file}.${process.pid}`, file);
    return undefined;
  }

  async #isKept(entry: Entry): Promise<boolean> {
    const wheels = await Promise.all([...this.#needed(entry)].map((needed) => this.#isWhole(needed)));
    return !wheels.includes(false);
  }

  async #isWhole({ file_name: name, sha256 }: Entry): Promise<boolean> {
    const wheel = await readFile(path.join(this.#options.folder, name)).catch(() => undefined);
    return wheel !== undefined && hashOf(wheel) === sha256;
  }

  /** Whether the source answers at all; asked once a minute at the most. */
  #canFetch(): Promise<boolean> {
    if (this.#options.mode !== "fetch") return Promise.resolve(false);
    const now = Date.now();
    if (this.#reachable === undefined || now - this.#reachable.at > MEMORY) {
      this.#reachable = { at: now, answer: this.#probe() };
    }
    return this.#reachable.answer;
  }

  async #probe(): Promise<boolean> {
    const [entry] = this.#offered;
    if (entry === undefined) return false;
    const url = new URL(entry.file_name, this.#options.source);
    const signal = AbortSignal.timeout(LONGEST_PROBE);
    return fetch(url, { method: "HEAD", signal }).then(
      (response) => response.ok,
      () => false,
    );
  }
}

/** What `fetch` throws says only that it failed; the cause says why. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
