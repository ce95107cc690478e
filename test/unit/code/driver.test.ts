/**
 * The Python driver in a CPython of this machine, as Azure's sessions have one. `PYTHONS` may name further ones, with
 * colons between.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerIn, type DoneCell, execution, ledgerEntry, ledgerKey } from "../../../src/code/driver.ts";
import { findPython, PythonKernel, plainPython } from "../../lib/code/python.ts";
import { CELLS, normal, PLAIN_CELLS, shown } from "./cells.ts";

const NAMES = ["python3", ...(process.env.PYTHONS ?? "").split(":")];
const PYTHONS = [...new Set(NAMES.flatMap((name) => findPython(name) ?? []))];
if (PYTHONS.length === 0) console.warn("driver.test.ts is skipped: this machine has no python3 of 3.11 or newer");

/** What the driver knows of matplotlib, which this project does not install. */
const PYPLOT = `
import sys, types
class Figure:
    def __init__(self, png): self.png, self.canvas = png, types.SimpleNamespace(figure=self)
    def __repr__(self): return "Figure"
    def savefig(self, file, **_):
        if isinstance(self.png, Exception): raise self.png
        file.write(self.png)
names = ("pyplot", "figure", "_pylab_helpers")
plt, figures, helpers = (sys.modules.setdefault("matplotlib." + name, types.ModuleType(name)) for name in names)
figures.Figure = Figure
helpers.Gcf = types.SimpleNamespace(get_all_fig_managers=lambda: list(plt.open.values()))
plt.open, plt.current = {}, None
plt.get_fignums = lambda: sorted(plt.open)
def figure(number):
    plt.current = number
    return plt.open[number]
plt.figure = figure
plt.close = lambda _: plt.open.clear()
`;

let calls = 0;

/** Undefined if there was no answer. */
async function run(
  kernel: PythonKernel,
  code: string,
  {
    id = `call ${calls++}`,
    step = id,
    links = {},
  }: { id?: string; step?: string; links?: Record<string, string> } = {},
): Promise<DoneCell | undefined> {
  const key = ledgerKey({ step, id, code });
  const executed = await kernel.execute(execution({ key, step, code, links }, kernel.folder));
  const line = executed?.stdout ?? "";
  expect(line.length).toBeLessThan(3_600);
  const answer = answerIn(line, key);
  if (answer?.kind === "done") return answer;
  const entry = ledgerEntry(await readFile(ledgerPath(kernel, key)).catch(() => Buffer.of()), key);
  return entry && { ...entry, repeated: answer?.repeated ?? false };
}

const ledgerPath = (kernel: PythonKernel, key: string) => path.join(kernel.folder, "_threadkeep", `${key}.json`);

async function withKernel(python: string, work: (kernel: PythonKernel) => Promise<void>): Promise<void> {
  const kernel = new PythonKernel(python);
  await work(kernel).finally(() => kernel.stop());
}

test.each(PYTHONS)("plain %s agrees with the table, where it should", (python) => {
  const told = plainPython(
    python,
    PLAIN_CELLS.map(({ code }) => code),
  );
  const end = (text: string) => text.replace(/\n$/, "");
  const found = PLAIN_CELLS.map(({ name }, index) => ({ name, logs: end(normal(told[index] ?? "")) }));
  expect(found).toEqual(PLAIN_CELLS.map(({ name, logs }) => ({ name, logs: end(logs) })));
});

describe.each(PYTHONS)("in %s", (python) => {
  let kernel: PythonKernel;
  beforeAll(() => {
    kernel = new PythonKernel(python);
  });
  afterAll(() => kernel.stop());

  test.each(CELLS)("$name", async (cell) => {
    const result = await run(kernel, cell.code);
    expect(result && shown(cell.name, cell.code, result)).toEqual(cell);
  });

  test("the first cell of a process is told to be that, and none after it", async () => {
    await withKernel(python, async (own) => {
      expect(await run(own, "1")).toMatchObject({ fresh: true, repeated: false });
      expect(await run(own, "1")).toMatchObject({ fresh: false, repeated: false });
    });
  });

  test("a NUL in the code is an error of the code", async () => {
    const result = await run(kernel, "a = 1\0");
    expect(result?.logs).toMatch(/^(SyntaxError|ValueError): source code string cannot contain null bytes\n$/);
  });

  test("a call that ran is not run again, as long as its folder lasts; one with other code is", async () => {
    const code = "open('count.txt', 'a').write('x')\nprint(len(open('count.txt').read()))";
    const first = await run(kernel, code, { id: "same" });
    expect(first).toMatchObject({ logs: "1\n", repeated: false });
    expect(await run(kernel, code, { id: "same" })).toEqual({ ...first, repeated: true });
    expect(await run(kernel, `${code}\n`, { id: "same" })).toMatchObject({ logs: "2\n", repeated: false });
    expect(await run(kernel, code, { id: "other" })).toMatchObject({ logs: "3\n" });
  });

  test("a million characters are kept of what a cell writes, and the rest is counted", async () => {
    const result = await run(kernel, "for _ in range(20_000): print('é' * 99)\nprint('last')");
    expect(result?.logs.length).toBeGreaterThan(1_000_000);
    expect(result?.logs.length).toBeLessThan(1_000_100);
    expect(result?.logs.slice(-60)).toMatch(/é\n+\[output truncated: \d+ more characters\]$/);
    const value = await run(kernel, "'y' * 3_000_000");
    expect(value?.logs.length).toBeLessThan(1_000_100);
  });

  test("what is too long for a line is read from the ledger, whatever it holds", async () => {
    for (const code of ["print('\\0' * 2000)", "print('🎉' * 900)", "print('\\\\' * 3400)", "print('a' * 3000)"]) {
      const result = await run(kernel, code);
      expect(result).toMatchObject({ failed: false });
      expect(result?.logs).toMatch(/^(\0{2000}|(🎉){900}|\\{3400}|a{3000})\n$/);
    }
  });

  test("twenty pictures are kept, in the order drawn, and the files of the last forty calls", async () => {
    const png = "b'\\x89PNG\\r\\n\\x1a\\n'";
    const result = await run(kernel, `class I:\n    def _repr_png_(self): return ${png} + b'1'\nI()`);
    const [image = ""] = result?.images ?? [];
    expect(await readFile(path.join(kernel.folder, image), "latin1")).toBe("\x89PNG\r\n\x1a\n1");
    for (let n = 0; n < 45; n++) await run(kernel, "I()");
    const left = await readdir(path.join(kernel.folder, "_threadkeep"));
    expect(left.length).toBeLessThanOrEqual(80);
  });

  test("all calls of a step are known for as long as it lasts, however many it has", async () => {
    await withKernel(python, async (own) => {
      const code = "open('count.txt', 'a').write('x')";
      const call = (id: number) => run(own, code, { step: "one", id: `${id}` });
      for (let id = 0; id < 45; id++) expect(await call(id)).toMatchObject({ repeated: false });
      for (const id of [0, 44]) expect(await call(id)).toMatchObject({ repeated: true });
      await run(own, "1", { step: "another" });
      expect(await readdir(path.join(own.folder, "_threadkeep"))).toHaveLength(40);
    });
  }, 60_000);

  test("of more pictures than are kept, the rest is counted", async () => {
    const picture = "class P:\n    def _repr_png_(self): return b'png'";
    const result = await run(kernel, `${picture}\nfor _ in range(22): display(P())\nP()`);
    expect(result?.images).toHaveLength(20);
    expect(result).toMatchObject({ undrawn: 3 });
    expect(await run(kernel, "P()")).toMatchObject({ undrawn: 0 });
  });

  test("a figure that cannot be drawn says why, and keeps no other from being shown", async () => {
    await withKernel(python, async (own) => {
      await run(own, PYPLOT);
      const broken = await run(own, "plt.open[1] = Figure(ValueError('bad title'))\nplt.open[2] = Figure(b'png')");
      expect(broken).toMatchObject({ logs: "A figure could not be drawn: ValueError: bad title\n" });
      expect(broken?.images).toHaveLength(1);
      const next = await run(own, "plt.open[1] = Figure(b'png')");
      expect(next).toMatchObject({ logs: "" });
      expect(next?.images).toHaveLength(1);
      const many = await run(own, "for n in range(23): plt.open[n] = Figure(b'png')");
      expect(many?.images).toHaveLength(20);
      expect(many).toMatchObject({ undrawn: 3 });
    });
  });

  test("a figure that is displayed while others are open does not become the current one", async () => {
    await withKernel(python, async (own) => {
      await run(own, PYPLOT);
      const code = "plt.open.update({1: Figure(b'1'), 2: Figure(b'2')})\ndisplay(plt.figure(1))\nprint(plt.current)";
      expect(await run(own, `${code}\nplt.figure(2)\ndisplay(plt.open[1])\nprint(plt.current)`)).toMatchObject({
        logs: "Figure\n1\nFigure\n2\n",
        images: { length: 2 },
      });
    });
  });

  test("a file gets its second name, unless another has it", async () => {
    await writeFile(path.join(kernel.folder, "file-abc"), "a,b");
    await writeFile(path.join(kernel.folder, "taken.csv"), "mine");
    const links = { "sales.csv": "file-abc", "taken.csv": "file-abc", "none.csv": "file-none" };
    const code = "import os\nopen('sales.csv').read(), open('taken.csv').read(), os.path.exists('none.csv')";
    expect(await run(kernel, code, { links })).toMatchObject({ logs: "('a,b', 'mine', False)", files: [] });
  });

  test("a file that code changes by its second name is told by that name, also once others are given", async () => {
    await writeFile(path.join(kernel.folder, "file-def"), "a,b");
    const code = "open('sums.csv', 'a').write('1')";
    for (const links of [{ "sums.csv": "file-def" }, {}]) {
      const result = await run(kernel, code, { links });
      expect(result?.files).toMatchObject([{ path: "sums.csv", at: "file-def" }]);
    }
    const replaced = await run(kernel, `import os\nos.remove('sums.csv')\n${code}\nopen('file-def', 'w').write('')`);
    expect(replaced?.files.map((file) => [file.path, file.at])).toEqual([
      ["file-def", undefined],
      ["sums.csv", undefined],
    ]);
  });

  test("a file whose name a pool does not take can be had under another one", async () => {
    const code = `import os
os.makedirs('v1.2', exist_ok=True)
for name in ("it's.csv", 'v1.2/x.csv', 'plain (1).csv', 'ä.b'): open(name, 'w').write(name)`;
    const result = await run(kernel, code);
    expect(result?.files.map(({ path: each, at }) => [each, at !== undefined])).toEqual([
      ["it's.csv", true],
      ["plain (1).csv", false],
      ["v1.2/x.csv", true],
      ["ä.b", false],
    ]);
    for (const { path: own, at = own } of result?.files ?? [])
      expect(await readFile(path.join(kernel.folder, at), "utf8")).toBe(own);
  });

  test("what processes and libraries write past Python stands in its place", async () => {
    const code =
      "import os, sys\nprint('1')\nos.system('echo 2; echo 3 >&2')\nprint('4')\nos.write(1, b'5')\nos.system('')";
    expect(await run(kernel, code)).toMatchObject({ logs: "1\n2\n3\n4\n5\n0" });
    expect(await run(kernel, "sys.__stdout__.write('under'); print(file=sys.__stderr__)")).toMatchObject({
      logs: "under\n",
    });
  });

  test("a result that the session cannot keep is told in short", async () => {
    await withKernel(python, async (own) => {
      const code = "import os, shutil\nshutil.rmtree('_threadkeep', True)\nopen('_threadkeep', 'w').close()\n";
      const note = "[the session could not keep this result: File exists]";
      expect(await run(own, `${code}print('still')`)).toMatchObject({ logs: `still\n\n${note}`, failed: false });
      const long = await run(own, `open('ä' * 90, 'w').close()\nprint('\\\\é' * 5000)`);
      expect(long?.logs.length).toBeLessThan(1_100);
      expect(long?.logs.endsWith(note)).toBe(true);
    });
  });

  test("a process that code forks and lets go on does not answer", async () => {
    expect(await run(kernel, "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint(pid > 0)")).toMatchObject({
      logs: expect.stringContaining("True"),
    });
    expect(await run(kernel, "'one'")).toMatchObject({ logs: "'one'" });
  });

  test("a folder of many files is looked at up to a limit, in little time", async () => {
    await withKernel(python, async (own) => {
      const made = await run(own, "for n in range(12_000): open(f'{n}.txt', 'w').close()");
      expect(made?.files.length).toBe(1_000);
      expect(await run(own, "open('0.txt').read()")).toMatchObject({ logs: "''" });
    });
  });

  test("a newer driver goes on with the variables of an older one", async () => {
    await withKernel(python, async (own) => {
      await run(own, "x = 41");
      await own.execute("import sys; sys.modules['_threadkeep'].VERSION = 'older'");
      expect(await run(own, "x + 1")).toMatchObject({ logs: "42", fresh: false });
    });
  });

  test("within a running event loop, as kernels have one, cells may wait and run loops", async () => {
    await withKernel(python, async (own) => {
      const nested = async (code: string) => {
        const key = ledgerKey({ step: "step", id: code, code });
        const cell = JSON.stringify(execution({ key, step: "step", code, links: {} }, own.folder));
        const executed = await own.execute(
          `import asyncio\nasync def kernel():\n    exec(${cell})\n` +
            "    assert asyncio.get_running_loop() is not None\nasyncio.run(kernel())",
        );
        expect(executed?.failed).toBe(false);
        return answerIn(executed?.stdout ?? "", key);
      };
      const waits = "async def f():\n    await asyncio.sleep(0.001)\n    return 'waited'\n";
      expect(await nested(`import asyncio\n${waits}asyncio.run(f())`)).toMatchObject({ logs: "'waited'" });
      expect(await nested("t = asyncio.ensure_future(f())\nawait t")).toMatchObject({ logs: "'waited'" });
    });
  });
});

/** What code may do to its interpreter, after which cells run as before. */
const HARMLESS = [
  "import sys\nsys.stdout = sys.stderr = None",
  "import sys\nsys.stdout = sys.__stdout__ = 5",
  "import sys\nsys.modules['_threadkeep'] = None",
  "import sys\nsys.setrecursionlimit(60)",
  "import sys\nsys.settrace(lambda *a: 1 / 0)",
  "import sys\nsys.setprofile(lambda *a: 1 / 0)",
  "import warnings\nwarnings.warn = warnings.filterwarnings = None",
  "import shutil\nshutil.rmtree('_threadkeep')",
  "import shutil, os\nshutil.rmtree(os.getcwd())",
  "import os\nos.close(1)",
  "globals().clear()",
  "class E(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\nraise E",
  "class V:\n    def __repr__(self): raise KeyboardInterrupt\nV()",
  "class V:\n    def __getattribute__(self, name): raise MemoryError\nV()",
  "class M(type):\n    def __getattr__(cls, name): raise RuntimeError\nclass V(metaclass=M): pass\nV()",
  "class V:\n    _repr_png_ = 5\nV()",
  "class V:\n    def _repr_png_(self): return 'not base64 é'\nV()",
  "raise type('', (BaseException,), {})",
  "import threading\nthreading.Thread(target=lambda: print('late')).start()",
  "import atexit\natexit.register(lambda: 1 / 0)",
  "e = ValueError('loop')\ne.__context__ = ValueError('c')\ne.__context__.__context__ = e\nraise e",
  "raise ExceptionGroup('g', [ValueError(1), ExceptionGroup('h', [KeyError(2)])])",
];

/** And what it may not: the next cell has no answer, so its session is thrown away. */
const DEADLY = [
  "import builtins\nfor name in ('open', 'len', 'str', 'isinstance', 'repr', 'max'): setattr(builtins, name, None)",
  "import builtins\nbuiltins.__import__ = None",
  "import builtins\nvars(builtins).clear()",
  "import json\njson.dumps = json.loads = lambda *a, **k: '{}'",
  "import json\njson.JSONEncoder.encode = lambda *a: 'not json'",
  "import os\nfor name in dir(os):\n    if not name.startswith('_'): setattr(os, name, None)",
  "import sys\nsys.modules.clear()",
  "import sys\nsys.modules['_threadkeep'].run = print",
  "import sys\nsys.modules['_threadkeep'].log = None",
  "import sys\nsys.modules['_threadkeep'].state.clear()",
  "import sys\nsys.modules['_threadkeep'].space = None",
  "import linecache, traceback\nlinecache.cache = None\ntraceback.TracebackException = None",
  "import time\ntime.perf_counter = None",
  "import io\nio.TextIOWrapper = io.StringIO = None",
  "import os\nos.closerange(0, 50)",
  "import gc\nfor o in gc.get_objects():\n    if type(o) is dict and 'ledgers' in o: o.clear()",
];

describe.each(PYTHONS.slice(0, 1))("code that turns against its interpreter, in %s", (python) => {
  const cellAfter = async (code: string) => {
    let next: DoneCell | undefined;
    await withKernel(python, async (kernel) => {
      await run(kernel, "x = 1");
      await run(kernel, code);
      next = await run(kernel, "print('right'); 6 * 7");
    });
    return next;
  };

  test.concurrent.each(HARMLESS)("without harm: %s", async (code) => {
    expect(await cellAfter(code)).toMatchObject({ failed: false, logs: "right\n42" });
  });

  test.concurrent.each(DEADLY)("and breaks it: %s", async (code) => {
    expect(await cellAfter(code)).toBeUndefined();
  });

  test("an end of the process is no answer", async () => {
    for (const code of [
      "import os\nos._exit(0)",
      "import os\nos.abort()",
      "import os, signal\nos.kill(0 or os.getpid(), 9)",
    ]) {
      await withKernel(python, async (kernel) => {
        expect(await run(kernel, code)).toBeUndefined();
      });
    }
  });
});
