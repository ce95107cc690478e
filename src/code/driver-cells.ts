/** The driver's last part, in Python: runs a cell as Jupyter does, and keeps its result in a ledger. */
export const DRIVER_CELLS = String.raw`
def run_code(source, name):
    """The value of the last expression, and whether it is to be shown."""
    try:
        body, ending, shown = compile_cell(source, name)
    except SyntaxError as error:
        # What is found only in the tree comes without its line.
        if error.text is None and error.filename == name and error.lineno:
            error.text = linecache.getline(name, error.lineno)
        raise
    if (body.co_flags | getattr(ending, "co_flags", 0)) & COROUTINE:
        return wait_for(evaluate_waiting(body, ending)), shown
    eval(body, space.__dict__)
    return None if ending is None else eval(ending, space.__dict__), shown


def compile_cell(source, name):
    """All statements but a last expression, and that expression; nothing runs if either is wrong."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | state["futures"]
    tree = compile(source, name, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    body = compile(tree, name, "exec", flags, dont_inherit=True)
    state["futures"] |= body.co_flags & ANNOTATIONS
    if last is None:
        return body, None, False
    ending = compile(ast.Expression(last.value), name, "eval", flags | state["futures"], dont_inherit=True)
    return body, ending, not is_silent(source, last)


async def evaluate_waiting(*codes):
    value = None
    for code in codes:
        if code is not None:
            value = eval(code, space.__dict__)
            if code.co_flags & COROUTINE:
                value = await value
    return value if codes[-1] is not None else None


def is_silent(source, last):
    """Whether a semicolon follows the last expression."""
    line = source.split("\n")[last.end_lineno - 1].encode()
    return line[last.end_col_offset :].lstrip().startswith(b";")


def explain(error):
    """The traceback from the user's first frame on, without this driver's."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<cell "):
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace or error.__traceback__, compact=True)
    todo, seen = [told], set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if one.stack is not None:
            theirs = [frame for frame in one.stack if frame.filename != DRIVER]
            if len(theirs) < len(one.stack):
                one.stack[:] = theirs
                one.stack = one.stack if theirs else None
        todo += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]
    return "".join(told.format())


def look_around():
    """Size and time of each file in the folder, by its path."""
    found, folders, entries = {}, [""], 0
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(ROOT, folder)) as listed:
                for entry in listed:
                    entries += 1
                    if entries > MOST_ENTRIES:
                        return found
                    path = folder + entry.name
                    if path == KEPT:
                        continue
                    about = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(about.st_mode):
                        folders.append(path + "/")
                    elif stat.S_ISREG(about.st_mode):
                        found[path] = (about.st_size, about.st_mtime_ns)
        except OSError:
            pass
    return found


def changed(before):
    """Files that are new or other than before. One that has a second name is told by that: its user knows it so."""
    files = []
    for path, about in look_around().items():
        if before.get(path) == about:
            continue
        name = state.get("links", {}).get(path, path)
        if name != path and os.path.islink(os.path.join(ROOT, name)):
            files.append({"path": name, "size": about[0], "at": path})
        elif path.isprintable():
            files.append({"path": path, "size": about[0]})
    return sorted(files, key=lambda file: file["path"])[:MOST_FILES]


def is_taken(path):
    """Whether a pool takes all names of the path."""
    *folders, name = path.split("/")
    return all(set(sign for sign in each if not sign.isalnum()) <= signs
               for each, signs in [(name, NAME_SIGNS), *((folder, NAME_SIGNS - {"."}) for folder in folders)])


def name_again(key, files):
    """Gives files a second name that a pool takes, where their own is none."""
    for number, file in enumerate(files[:MOST_RENAMED]):
        if "at" in file or is_taken(file["path"]):
            continue
        at = key + "-file-" + str(number)
        target = os.path.join(ROOT, KEPT, at)
        try:
            os.link(os.path.join(ROOT, file["path"]), target)
        except (OSError, AttributeError):  # Pyodide has no such links
            os.symlink(os.path.join(ROOT, file["path"]), target)
        file["at"] = KEPT + "/" + at


def link(links):
    """Second names of files, where they are free."""
    for name, target in links.items():
        path = os.path.join(ROOT, name)
        try:
            if not os.path.lexists(path) and os.path.exists(os.path.join(ROOT, target)):
                os.symlink(target, path)
                state.setdefault("links", {})[target] = name
        except (OSError, ValueError):
            pass


def attempt(source, name, images):
    """Runs a cell, and logs whatever comes of it; whether it failed."""
    failed = False
    with Redirected():
        try:
            value, shown = run_code(source, name)
            if shown:
                show(value, images)
        except BaseException as error:
            failed = True
            try:
                log.say(explain(error))
            except BaseException as worse:
                log.say(type(error).__name__ + " (its traceback failed: " + type(worse).__name__ + ")\n")
        try:
            take_figures(images)
        except BaseException as error:
            log.say("A figure could not be drawn: " + type(error).__name__ + reason(error) + "\n")
    return failed


def reason(error):
    try:
        return ": " + str(error)[:1_000]
    except BaseException:
        return ""


def write(path, data):
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


def keep(key, step, answer, images):
    """Puts a result into the ledger, images first; forgets the oldest ones of other steps."""
    base = os.path.join(ROOT, KEPT)
    os.makedirs(base, exist_ok=True)
    for number, data in enumerate(images):
        name = key + "-" + str(number) + ".png"
        write(os.path.join(base, name), data)
        answer["images"].append(KEPT + "/" + name)
    name_again(key, answer["files"])
    write(os.path.join(base, key + ".json"), json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
    places = answer["images"] + [file["at"] for file in answer["files"] if file.get("at", "").startswith(KEPT)]
    state["ledgers"].append([key + ".json"] + [os.path.basename(path) for path in places])
    if state.get("step") != step:
        state["step"], state["of_step"] = step, 0
    state["of_step"] += 1
    while len(state["ledgers"]) > max(MOST_LEDGERS, state["of_step"]):
        for name in state["ledgers"].pop(0):
            try:
                os.unlink(os.path.join(base, name))
            except OSError:
                pass


def ledger(key):
    try:
        with open(os.path.join(ROOT, KEPT, key + ".json"), "rb") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def execute(key, step, source, links):
    answer = ledger(key)
    if answer is not None:
        return {**answer, "repeated": True}
    process = os_getpid()
    try:
        os.getcwd()
    except OSError:
        os.chdir(ROOT)
    link(links)
    state["cell"] += 1
    name = "<cell " + str(state["cell"]) + ">"
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    linecache.cache[name] = (len(source), None, [line + "\n" for line in source.split("\n")], name)
    space.__dict__.pop("__warningregistry__", None)
    images = state["images"] = []
    state["undrawn"] = 0
    fresh, state["fresh"] = state["fresh"], False
    before, started = look_around(), time.perf_counter()
    failed = attempt(source, name, images)
    if os_getpid() != process:
        os._exit(0)  # a fork of the user's that came back
    answer = {"call": key, "logs": log.text(), "images": [], "undrawn": state["undrawn"], "files": changed(before),
              "failed": failed, "fresh": fresh, "repeated": False,
              "ms": round((time.perf_counter() - started) * 1000)}
    try:
        keep(key, step, answer, images)
    except OSError as error:
        # What fits into the line, then.
        logs = answer["logs"].encode("ascii", "backslashreplace").decode()
        logs = logs if len(logs) <= 1_000 else logs[:1_000] + "…"
        answer["logs"] = logs + "\n[the session could not keep this result: " + str(error.strerror) + "]"
        answer["images"] = []
        answer["undrawn"] += len(images)
        answer["files"] = [file for file in answer["files"][:5] if len(file["path"]) < 100 and "at" not in file]
    return answer


def run(payload):
    call = json.loads(base64.b64decode(payload))
    key = call["key"]
    answer = execute(key, call["step"], call["code"], call["links"])
    line = json.dumps(answer)
    if len(line) > LONGEST_LINE:
        line = json.dumps({"call": key, "ledger": True, "repeated": answer["repeated"]})
    sys.stdout.write("\n" + line + "\n")
    sys.stdout.flush()


def begin(old):
    """Goes on where an older version of the driver was, if there was one."""
    global state, space
    state = getattr(old, "state", None)
    space = getattr(old, "space", None)
    if type(state) is dict and type(space) is types.ModuleType:
        return
    space = types.ModuleType("__main__")
    space.__dict__.update(__builtins__=builtins)
    for name in ("__loader__", "__package__", "__spec__"):
        space.__dict__[name] = None
    space.__dict__["display"] = display
    for name in ("exit", "quit"):  # a kernel has none
        if not hasattr(builtins, name):
            space.__dict__[name] = sys.exit
    state = {"cell": 0, "fresh": True, "futures": 0, "loop": None, "images": [], "undrawn": 0, "ledgers": []}
    os.makedirs(ROOT, exist_ok=True)
    os.chdir(ROOT)
    sys.meta_path.append(Backend)
    os.environ["MPLBACKEND"] = "module://" + Backend.NAME
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].use(os.environ["MPLBACKEND"])
    warnings.filterwarnings("ignore", message=".*non-interactive")
`;
