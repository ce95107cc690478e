/** How the pool of sessions behaves in which the code interpreter runs Python. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DynamicSessions } from "../../../src/code/dynamic-sessions.ts";
import { type CellResult, type CodeSession, CodeTrouble, type SessionFile } from "../../../src/code/session.ts";
import { type Check, type Outcome, outcomeOf } from "../check.ts";
import type { Place } from "../place.ts";

const NOT_SET: Outcome = { got: "CODE_SESSIONS_ENDPOINT is not set" };

/** Of a call that is quick everywhere; the first of a session waits for the session. Seconds. */
const USUAL = 60;

/** How much later than its limit an answer may come. Milliseconds. */
const LATENESS = 30_000;

/** Sessions that are opened at the most to see what a full pool answers. */
const MOST_SESSIONS = 20;

/** How long code runs that is to be met while it does: the network to a real pool takes its time. Seconds. */
const whileFor = ({ surroundings }: Place) => (surroundings.share < 1 ? 1 : 3);

type Run = (code: string, timeout?: number, id?: string) => Promise<CellResult>;

/** Does something with a session of its own, which ends with it. */
async function inSession(
  { config, stopping: { signal } }: Place,
  work: (session: CodeSession, run: Run) => Promise<Outcome>,
): Promise<Outcome> {
  if (config.code === undefined) return NOT_SET;
  const session = new DynamicSessions({ ...config, code: config.code }).open({ id: randomUUID() });
  const run: Run = (code, timeout = USUAL, id = randomUUID()) => session.run({ step: id, id, code, timeout }, signal);
  try {
    return await work(session, run);
  } catch (error) {
    if (!(error instanceof CodeTrouble)) throw error;
    return { got: `${error.message}: ${JSON.stringify(error.details)}`, ok: false };
  } finally {
    await session.discard();
  }
}

const told = (result: CellResult) => (result.kind === "done" ? result.logs.slice(-200) : result.kind);

const FIGURE = `
class Figure:
    def _repr_png_(self): return bytes.fromhex("89504e470d0a1a0a") + b"x" * 100_000
Figure()`;

const MATPLOTLIB = `
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.show()
plt.plot([2, 1]);`;

const cells: Check = {
  number: 25,
  title: "code: values, long output, figures, files, await",
  why: "the driver was tried in a plain Python and in Pyodide, not in the pool's kernel",
  expected: "each comes back whole, and the session keeps variables and files",
  onlyOnAzure: "Azure's kernel and its matplotlib; what an answer's streams hold at the most; how long a cell takes",
  writes: true,
  run: (place) =>
    inSession(place, async (session, run) => {
      const { signal } = place.stopping;
      const problems: string[] = [];
      const expect = (what: string, isRight: boolean, got: string) => {
        if (!isRight) problems.push(`${what}: ${got}`);
      };
      const upload = fileOf("file-firsthour", "a,b\n1,2\n");
      const { fresh } = await session.prepare([upload], signal);
      expect("a new session", fresh, "is not told to be one");
      const read = await run("x = 41\nopen('table.csv').read()");
      expect("an uploaded file, by its second name", told(read) === "'a,b\\n1,2\\n'", told(read));
      expect("a listed session", !(await session.prepare([upload], signal)).fresh, "seems new again");
      const started = performance.now();
      const sum = await run("x + 1");
      const took = Math.round(performance.now() - started);
      expect("a variable", told(sum) === "42", told(sum));
      const long = await run("print('z' * 1_200_000)");
      expect("long output", long.kind === "done" && long.logs.length > 1_000_000, told(long));
      const waited = await run("import asyncio\nawait asyncio.sleep(0.01, 'waited')");
      expect("await", told(waited) === "'waited'", told(waited));
      const error = await run("1 / 0");
      expect("a traceback", /^Traceback .*<cell \d+>.*ZeroDivisionError/s.test(told(error)), told(error));
      const program = await run("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(5)']);");
      expect("a program's output", place.surroundings.share < 1 || told(program) === "5\n", told(program));
      for (const [what, code, count] of await figures(place)) {
        const { images, logs } = doneOr(await run(code));
        const sizes = await Promise.all(images.map(async (image) => (await session.read(image, 1e7, signal))?.length));
        const isRight = images.length === count && sizes.every((size = 0) => size > 1_000);
        expect(what, isRight, `${images.length} images of ${sizes.join(", ")} bytes; ${logs.slice(-200)}`);
      }
      const { files } = doneOr(await run("import os\nos.makedirs('out')\nopen('out/ä (1).txt', 'w').write('w')"));
      const bytes = await session.read("out/ä (1).txt", 100, signal);
      expect("a file in a folder", files.length === 1 && bytes?.length === 1, `${JSON.stringify(files)} ${bytes}`);
      return outcomeOf(problems, `all of it; a cell takes ${took} ms`);
    }),
};

async function figures({ config }: Place): Promise<[what: string, code: string, count: number][]> {
  const packages = config.code && (await new DynamicSessions({ ...config, code: config.code }).packages());
  const own: [string, string, number] = ["a figure", FIGURE, 1];
  return packages?.includes("matplotlib") ? [own, ["two figures of matplotlib", MATPLOTLIB, 2]] : [own];
}

const doneOr = (result: CellResult) =>
  result.kind === "done" ? result : { images: [], files: [], logs: `it ended with ${result.kind}` };

function fileOf(path: string, text: string): SessionFile {
  const content = Buffer.from(text);
  return {
    path,
    alias: "table.csv",
    bytes: content.length,
    async open() {
      return (async function* () {
        yield content;
      })();
    },
  };
}

const repetition: Check = {
  number: 26,
  title: "code: a call that comes again while it runs",
  why: "a worker that takes a run over repeats the call of the one that died",
  expected: "it waits for the first one, and gets its result: the code runs once",
  onlyOnAzure: "whether Azure queues executions of a session, or refuses the second",
  writes: true,
  run: (place) =>
    inSession(place, async (_, run) => {
      await run("1");
      const seconds = whileFor(place);
      const code = `import time
open('count.txt', 'a').write('x')
time.sleep(${seconds})
len(open('count.txt').read())`;
      const first = run(code, USUAL, "twice");
      await sleep(seconds * 300);
      const both = await Promise.all([first, run(code, USUAL, "twice")]);
      const repeated = both.map((result) => result.kind === "done" && result.repeated);
      const isRight = both.every((result) => told(result) === "1") && repeated.filter(Boolean).length === 1;
      return { got: `${both.map(told).join(" and ")}, repeated: ${repeated.join(" and ")}`, ok: isRight };
    }),
};

const limits: Check = {
  number: 27,
  title: "code: an endless loop, and a Python that dies",
  why: "the model must hear of it, and the next call must have a new session",
  expected: `told as "timeout" and "died" within ${LATENESS / 1_000} s of the limit; then a fresh session`,
  onlyOnAzure: "by which words Azure tells them apart, and how soon a deleted session's name can be used again",
  writes: true,
  run: (place) =>
    inSession(place, async (_, run) => {
      const problems: string[] = [];
      for (const [code, kind] of [
        ["while True: pass", "timeout"],
        ["import os\nos._exit(1)", "died"],
      ] as const) {
        await run("x = 1");
        const started = performance.now();
        const result = await run(code, whileFor(place));
        const took = performance.now() - started;
        if (result.kind !== kind) problems.push(`${kind} is told as ${told(result)}`);
        if (took > 3_000 + LATENESS) problems.push(`${kind} took ${Math.round(took / 1_000)} s`);
        const next = await run("'x' in globals()");
        if (next.kind !== "done" || next.logs !== "False" || !next.fresh) problems.push(`then ${told(next)}`);
      }
      return outcomeOf(problems, "as expected");
    }),
};

const discarded: Check = {
  number: 28,
  title: "code: a session that is destroyed while it runs",
  why: "a run that is cancelled must not leave its code running",
  expected: `the call ends within ${LATENESS / 1_000} s; then a fresh session`,
  onlyOnAzure: "whether DELETE stops an execution that is under way",
  writes: true,
  run: (place) =>
    inSession(place, async (session, run) => {
      await run("1");
      const started = performance.now();
      const running = run("import time\ntime.sleep(100)", 120).then(
        ({ kind }) => kind,
        (error) => (error instanceof CodeTrouble ? "trouble" : Promise.reject(error)),
      );
      await sleep(whileFor(place) * 300);
      await session.discard();
      const end = await running;
      const took = performance.now() - started;
      const next = await run("1");
      const isRight = took < LATENESS && end !== "done" && next.kind === "done" && next.fresh;
      return { got: `${end} after ${Math.round(took / 1_000)} s, then ${told(next)}`, ok: isRight };
    }),
};

const ESCAPES = `
import socket, urllib.request
found = []
for host, port in (("1.1.1.1", 443), ("169.254.169.254", 80), ("8.8.8.8", 53)):
    try: socket.create_connection((host, port), 3); found.append(host)
    except Exception: pass
for url in ("https://www.microsoft.com", "http://169.254.169.254/metadata/instance?api-version=2021-02-01"):
    try: urllib.request.urlopen(url, timeout=3); found.append(url)
    except Exception: pass
found`;

const network: Check = {
  number: 29,
  title: "code: reaches nothing outside",
  why: "a model writes the code, and what it reads may tell it what to write",
  expected: "no connection: neither to the internet nor to Azure's own addresses",
  onlyOnAzure: "sessionNetworkConfiguration: EgressDisabled",
  writes: true,
  run: (place) =>
    inSession(place, async (_, run) => {
      const got = told(await run(ESCAPES));
      return { got: got === "[]" ? "no connection" : got, ok: got === "[]" };
    }),
};

const fullPool: Check = {
  number: 30,
  title: "code: a pool that is full",
  why: "its run must be tried again, not fail",
  expected: "404 or 429, which pass",
  onlyOnAzure: "what Azure answers; look at the price of a session-hour and the pool's region, too",
  writes: true,
  async run(place) {
    const { config, stopping, askOperator, surroundings } = place;
    if (config.code === undefined) return NOT_SET;
    const byHand = `needs --by-hand: up to ${MOST_SESSIONS} sessions, of a pool with CODE_SESSIONS_MAXIMUM=5`;
    if (askOperator === undefined && surroundings.share === 1) return { got: byHand };
    const pool = new DynamicSessions({ ...config, code: config.code });
    const opened: CodeSession[] = [];
    try {
      while (opened.length < MOST_SESSIONS) {
        const session = pool.open({ id: randomUUID() });
        opened.push(session);
        await session.run({ step: "1", id: "1", code: "1", timeout: USUAL }, stopping.signal);
      }
      return { got: `not full with ${MOST_SESSIONS} sessions: set CODE_SESSIONS_MAXIMUM=5 for this check` };
    } catch (error) {
      if (!(error instanceof CodeTrouble)) throw error;
      const { status } = error.details;
      return {
        got: `${status} for session ${opened.length}`,
        ok: error.retryable && (status === 404 || status === 429),
      };
    } finally {
      await Promise.all(opened.map((session) => session.discard()));
    }
  },
};

export const codeChecks = [cells, repetition, limits, discarded, network, fullPool];
