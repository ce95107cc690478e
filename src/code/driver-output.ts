/** The driver's first part, in Python: takes what a cell writes, wherever it writes it. */
export const DRIVER_OUTPUT = String.raw`
import ast, base64, builtins, importlib.machinery, io, json, linecache, os, stat, sys, time, traceback, types, warnings

DRIVER, KEPT = "<threadkeep>", "_threadkeep"
MOST_TEXT = 1_000_000     # characters of what a cell wrote
MOST_IMAGES = 20
MOST_FILES = 1_000        # of the changed ones, in the answer
MOST_ENTRIES = 10_000     # of the folder, that are looked at
MOST_LEDGERS = 40         # calls whose results stay in the session, beside those of the present step
MOST_RENAMED = 100
NAME_SIGNS = set(" -_.@$&=;,#%^()")   # in names of files, beside letters and digits
LONGEST_LINE = 3_500      # characters of the answer; longer ones are read from the ledger
HAS_PROCESSES = sys.platform != "emscripten"
COROUTINE = 0x80          # inspect.CO_COROUTINE
ANNOTATIONS = 0x1000000   # the only feature of __future__ that is still one


class Log(io.RawIOBase):
    """What a cell writes to either stream, in the order written. UTF-8 bytes until it is read."""

    def __init__(self):
        self.begin(None)
        self.is_open = False

    def begin(self, descriptor):
        # the file that descriptors 1 and 2 lead to, if they do
        self.descriptor, self.seen = descriptor, 0
        self.pieces, self.size, self.is_open = [], 0, True

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        if self.is_open:
            self.look()
            self.keep(data)
        return len(data)

    def keep(self, data):
        room = 4 * MOST_TEXT - self.size
        if room > 0:
            self.pieces.append(data[:room])
        self.size += len(data)

    def look(self):
        """Takes over what processes and libraries wrote past Python."""
        if self.descriptor is None:
            return
        grown = os_fstat(self.descriptor).st_size - self.seen
        if grown > 0:
            self.keep(os_pread(self.descriptor, min(grown, 4 * MOST_TEXT), self.seen))
            self.seen += grown

    def close(self):
        """A stream that is closed leaves the log open."""

    def ends_line(self):
        return self.size == 0 or not self.pieces or self.pieces[-1].endswith(b"\n")

    def say(self, text):
        """On a line of its own."""
        self.look()
        text = text[: 2 * MOST_TEXT]
        self.keep((b"" if self.ends_line() else b"\n") + text.encode("utf-8", "backslashreplace"))

    def text(self):
        self.look()
        self.is_open = False
        kept = b"".join(self.pieces).decode("utf-8", "replace")
        rest = len(kept) - MOST_TEXT
        if self.size > 4 * MOST_TEXT:
            rest = max(rest, self.size - MOST_TEXT)
        if rest <= 0:
            return kept
        return kept[:MOST_TEXT] + "\n[output truncated: " + str(rest) + " more characters]"


os_fstat, os_pread, os_getpid = os.fstat, getattr(os, "pread", None), os.getpid
log = Log()
streams = {}


def open_stream(name, errors):
    """Lives as long as the session: handlers of logging keep it."""
    stream = streams.get(name)
    try:
        stream.write("")
    except BaseException:
        stream = io.TextIOWrapper(log, "utf-8", errors, newline="\n", write_through=True)
        streams[name] = stream
    return stream


class Redirected:
    """While it lasts, all that is written goes to the log, and nothing can be read."""

    def __enter__(self):
        self.old = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr", "__stdout__", "__stderr__")}
        self.input, self.main = getattr(builtins, "input", None), sys.modules.get("__main__")
        self.limit = sys.getrecursionlimit()
        self.saved, self.file = [], None
        if HAS_PROCESSES:
            self.take_descriptors()
        log.begin(self.file.fileno() if self.file else None)
        sys.stdout = sys.__stdout__ = open_stream("out", "strict")
        sys.stderr = sys.__stderr__ = open_stream("err", "backslashreplace")
        sys.stdin = io.StringIO("")
        builtins.input = no_input
        sys.modules["__main__"] = space
        self.loop = leave_loop()
        self.publisher = publisher()
        if self.publisher is not None:
            self.publisher.register_hook(take_display)

    def __exit__(self, *_):
        sys.settrace(None)
        sys.setprofile(None)
        sys.setrecursionlimit(max(self.limit, sys.getrecursionlimit()))
        enter_loop(self.loop)
        if self.publisher is not None:
            self.publisher.unregister_hook(take_display)
        for stream in list(streams.values()):
            try:
                stream.flush()
            except BaseException:
                pass
        for name, value in self.old.items():
            setattr(sys, name, value)
        builtins.input = self.input
        if self.main is not None:
            sys.modules["__main__"] = self.main
        log.look()
        log.descriptor = None
        for number, copy in self.saved:
            os.dup2(copy, number)
            os.close(copy)
        if self.file:
            self.file.close()

    def take_descriptors(self):
        import tempfile

        try:
            self.file = tempfile.TemporaryFile(buffering=0)
            for number in (1, 2):
                self.saved.append((number, os.dup(number)))
                os.dup2(self.file.fileno(), number)
        except OSError:
            pass


def no_input(prompt="", /):
    sys.stdout.write(str(prompt))
    raise EOFError("EOF when reading a line")


def publisher():
    """Of what a Jupyter kernel displays beside the streams."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    found = getattr(shell, "display_pub", None)
    return found if hasattr(found, "register_hook") else None


def leave_loop():
    """In a kernel, cells run within its event loop. Code of the user's may run one itself."""
    events = sys.modules.get("asyncio.events")
    if events is None or not HAS_PROCESSES:
        return None
    loop = events._get_running_loop()
    events._set_running_loop(None)
    return loop


def enter_loop(loop):
    if loop is not None:
        sys.modules["asyncio.events"]._set_running_loop(loop)


def wait_for(coroutine):
    """What the coroutine gives or raises. Its exception takes no way through the loop, which would add to it."""
    value, error = run_loop(outcome(coroutine))
    if error is not None:
        raise error
    return value


async def outcome(coroutine):
    try:
        return await coroutine, None
    except BaseException as error:
        return None, error


def run_loop(coroutine):
    if not HAS_PROCESSES:
        from pyodide.ffi import run_sync

        return run_sync(coroutine)
    import asyncio

    if state["loop"] is None or state["loop"].is_closed():
        state["loop"] = asyncio.new_event_loop()
    return state["loop"].run_until_complete(coroutine)
`;
