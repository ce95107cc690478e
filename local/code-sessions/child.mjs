// The side of a session that runs foreign code: Pyodide in a Deno process without permissions. Whatever runs here is
// taken for an attacker's: the boundary is what the process may do, and the parent (sandbox.ts) trusts no frame.
// Frames: four bytes of length (big endian), JSON, then as many bytes as the JSON's `bytes` says.

const [folder, mode, snapshotFile, cacheFolder, lockFile, memoryCap] = Deno.args;
const { stdin, stdout, exit, readFileSync, readTextFileSync } = Deno;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PAGE = 65_536;
/** Characters of a value's JSON; longer ones are told by the beginning of their repr. */
const LONGEST_RESULT = 1_000_000;
const ROOT = "/mnt/data";

function write(bytes) {
  for (let done = 0; done < bytes.length; ) done += stdout.writeSync(bytes.subarray(done));
}

function send(head, bytes = new Uint8Array()) {
  const json = encoder.encode(JSON.stringify({ ...head, bytes: bytes.length }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  for (const piece of [length, json, bytes]) write(piece);
}

/** Blocks: no timer and no promise of the code that ran before goes on meanwhile. */
function readExactly(count) {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count; ) {
    const read = stdin.readSync(bytes.subarray(done));
    if (!read) exit(0);
    done += read;
  }
  return bytes;
}

function receive() {
  const length = new DataView(readExactly(4).buffer).getUint32(0);
  const head = JSON.parse(decoder.decode(readExactly(length)));
  return { ...head, content: readExactly(head.bytes ?? 0) };
}

// Pyodide exports its memory, so a lower maximum does nothing. Growth beyond the cap becomes a MemoryError.
const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * PAGE > Number(memoryCap)) throw new RangeError("memory limit");
  return grow.call(this, pages);
};

// None of these has a use without permissions. What a thread has of them again, works no better there.
for (const name of [
  ..."localStorage sessionStorage Storage caches CacheStorage Cache BroadcastChannel Worker WebSocket".split(" "),
  ..."WebSocketStream EventSource fetch navigator alert confirm prompt close".split(" "),
]) {
  delete globalThis[name];
}

/** What the code writes to descriptors 1 and 2, up to a limit in bytes. */
class Stream {
  #pieces = [];
  #size = 0;
  limit = 0;

  write = (piece) => {
    const kept = piece.slice(0, Math.max(0, this.limit - this.#size));
    if (kept.length > 0) this.#pieces.push(kept);
    this.#size += kept.length;
    return piece.length;
  };

  take() {
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#size = 0;
    return whole;
  }
}

const { loadPyodide } = await import(`file://${folder}/pyodide.mjs`);
const options = {
  indexURL: `${folder}/`,
  jsglobals: Object.create(null),
  env: { HOME: "/home/sandbox", MPLBACKEND: "agg" },
  stdin: () => null,
  ...(lockFile === "-" ? {} : { lockFileContents: readTextFileSync(lockFile) }),
  ...(cacheFolder === "-" ? {} : { packageCacheDir: `${cacheFolder}/` }),
};

/** Modules that nearly every cell imports, the driver's among them: in the snapshot they cost nothing. */
const USUAL = [
  ..."ast asyncio base64 builtins codecs collections csv datetime functools hashlib io itertools json".split(" "),
  ..."linecache math os pathlib random re statistics sys tempfile traceback types uuid warnings".split(" "),
];

if (mode === "snapshot") {
  const made = await loadPyodide({ ...options, _makeSnapshot: true });
  made.runPython(`import ${USUAL.join(", ")}`);
  send({ id: 0, snapshot: true }, made.makeMemorySnapshot());
  exit(0);
}

let from = snapshotFile === "-" ? "plain" : "snapshot";
async function load() {
  if (from === "plain") return loadPyodide(options);
  try {
    return await loadPyodide({ ...options, _loadSnapshot: readFileSync(snapshotFile) });
  } catch {
    from = "fallback";
    return loadPyodide(options);
  }
}
const python = await load();
python._api.on_fatal = (error) => {
  send({ id: -1, fatal: String(error?.message ?? error).slice(0, 300) });
  exit(70);
};

const output = new Stream();
const errors = new Stream();
python.setStdout({ write: output.write, isatty: false });
python.setStderr({ write: errors.write, isatty: false });
for (const path of [ROOT, "/home/sandbox"]) python.FS.mkdirTree(path);

/** Asks the parent for a package of the lock file's; what it brought is in the cache folder afterwards. */
async function need(name) {
  send({ id: current, need: String(name) });
  const { provided } = receive();
  if (!provided) return false;
  await python.loadPackage(String(name), { messageCallback() {}, errorCallback() {} });
  return true;
}

let current = 0;
const harness = python.runPython(`
import ast, importlib.abc, importlib.machinery, json, os, random, sys, traceback, __main__
from pyodide.ffi import run_sync
random.seed()  # the snapshot holds a state that all sessions would share
os.chdir("${ROOT}")

def harness(need, packages):
    class Packages(importlib.abc.MetaPathFinder):
        asked = set()
        def find_spec(self, name, path=None, target=None):
            package = packages.get(name)
            if package is None or package in self.asked:
                return None
            self.asked.add(package)
            try:
                isThere = run_sync(need(package))
            except RuntimeError:  # Python cannot wait here, such as in a callback of JavaScript's
                self.asked.discard(package)
                return None
            if not isThere:
                self.asked.discard(package)
                if sys._getframe(2).f_code.co_name != "_find_and_load_unlocked":
                    return None  # Not an import: importlib.util.find_spec only wants to know.
                raise ModuleNotFoundError(f"No module named {name!r}: {package} cannot be had here now. "
                    "Do without it: Python's own library is there", name=name)
            importlib.invalidate_caches()
            return importlib.machinery.PathFinder.find_spec(name, path, target)
    for name in ("js", "pyodide_js"):
        sys.modules.pop(name, None)
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "JsFinder"]
    sys.meta_path.append(Packages())
    space = __main__.__dict__
    space.setdefault("__builtins__", __builtins__)

    def encode(value):
        if value is None:
            return '""'
        if value != value:
            return "null"
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            text = json.dumps(repr(value))
        return text if len(text) <= ${LONGEST_RESULT} else json.dumps(repr(value)[:1000])

    def run(code):
        value, failed = '""', False
        try:
            tree = ast.parse(code, "<cell>")
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<cell>", "exec"), space)
            if last is not None:
                value = encode(eval(compile(ast.Expression(last.value), "<cell>", "eval"), space))
        except BaseException as error:
            failed = True
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                pass
        return json.dumps([failed, value])
    return run
harness
`);
const packages = python.toPy(JSON.parse(decoder.decode(receive().content)));
const run = harness(need, packages);

function kindOf(node) {
  const { FS } = python;
  return FS.isDir(node.mode) ? "directory" : FS.isFile(node.mode) ? "file" : undefined;
}

function describe(path) {
  const stat = python.FS.stat(path);
  return { type: kindOf(stat), size: stat.size, modified: Number(stat.mtime) };
}

/** Files and folders below a folder, each folder before what is in it; no link leads to another folder. */
function list(base, recursive, most) {
  const found = [];
  const visit = (folder) => {
    for (const name of python.FS.readdir(base + folder)) {
      if (name === "." || name === "..") continue;
      if (found.length >= most) return;
      const path = `${folder}/${name}`;
      const isLink = python.FS.isLink(python.FS.lstat(base + path).mode);
      let entry;
      try {
        entry = describe(base + path);
      } catch {
        continue; // a link to nothing
      }
      if (entry.type === undefined || (isLink && entry.type === "directory")) continue;
      found.push({ name, directory: folder.slice(1), ...entry });
      if (recursive && entry.type === "directory") visit(path);
    }
  };
  visit("");
  return found;
}

const OPERATIONS = {
  async run({ limit, content }) {
    output.limit = limit;
    errors.limit = limit;
    const [failed, result] = JSON.parse(await run.callPromising(decoder.decode(content)));
    const [out, err] = [output.take(), errors.take()];
    const both = new Uint8Array(out.length + err.length);
    both.set(out);
    both.set(err, out.length);
    return [{ failed, result, out: out.length }, both];
  },
  put({ directory, name, content }) {
    python.FS.mkdirTree(`${ROOT}/${directory}`);
    const path = `${ROOT}/${directory}/${name}`;
    python.FS.writeFile(path, content);
    return [describe(path)];
  },
  get({ path, from, most }) {
    const found = describe(`${ROOT}/${path}`);
    if (found.type !== "file") throw new Error("no file");
    const stream = python.FS.open(`${ROOT}/${path}`, "r");
    const content = new Uint8Array(Math.max(0, Math.min(most, found.size - from)));
    const count = content.length === 0 ? 0 : python.FS.read(stream, content, 0, content.length, from);
    python.FS.close(stream);
    return [found, content.subarray(0, count)];
  },
  stat: ({ path }) => [describe(`${ROOT}/${path}`)],
  list({ path, recursive, most }) {
    return [{ entries: list(path === "" ? ROOT : `${ROOT}/${path}`, recursive, most) }];
  },
  remove({ path }) {
    python.FS.unlink(`${ROOT}/${path}`);
    return [{}];
  },
};

send({ id: 0, ready: from });
for (;;) {
  const message = receive();
  current = message.id;
  try {
    const [head, bytes] = await OPERATIONS[message.op](message);
    send({ id: message.id, ...head }, bytes);
  } catch (error) {
    // An `errno` is the file system's answer; of any other error the interpreter may not recover.
    const missing = error?.errno !== undefined || error?.message === "no file";
    send({ id: message.id, [missing ? "missing" : "broken"]: String(error?.message ?? error).slice(0, 300) });
  }
}
