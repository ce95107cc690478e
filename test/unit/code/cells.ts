/**
 * Cells of Python and what a session tells of each. They run one after the other in one session. What is written here
 * is what every interpreter gives after `normal`, and, but for those of `OURS`, what plain Python writes itself.
 */
export interface Cell {
  /** of a few words */
  name: string;
  code: string;
  logs: string;
  failed?: boolean;
  files?: string[];
  images?: number;
}

/**
 * Removes what differs between versions of Python and between interpreters, and means nothing to the reader: the number
 * of the cell, numbers of errors of the system, lines with markers below a line of a traceback, addresses of objects, and the blank line or the omission
 * that newer versions show in place of a long statement's lines.
 */
export const normal = (logs: string): string =>
  logs
    .replace(/<cell \d+>/g, "<cell>")
    .replace(/^[ \t]*[~^]+[~^ ]*\n/gm, "")
    .replace(/0x[0-9a-f]+/g, "0x")
    .replace(/\[Errno \d+\]/g, "[Errno]")
    .replace(/repeated \d+ more times/g, "repeated many more times")
    .replace(/^ {4}\.\.\.<\d+ lines>\.\.\.\n/gm, "");

const value = (name: string, code: string, logs: string): Cell => ({ name, code, logs });

/** The traceback of one frame at the top level. */
const raised = (line: number, source: string, error: string) =>
  `Traceback (most recent call last):\n  File "<cell>", line ${line}, in <module>\n    ${source}\n${error}\n`;

export const VALUES: Cell[] = [
  value("a sum", "1 + 1", "2"),
  value("nothing", "", ""),
  value("a comment", "# nothing here", ""),
  value("None", "None", ""),
  value("an assignment", "x = 5", ""),
  value("a variable of an earlier cell", "x * 2", "10"),
  value("several lines, of which only the last is shown", "1\n2\n3", "3"),
  value("a value after a comment and blank lines", "# first\n\nx + 1\n\n# last\n", "6"),
  value("text, quoted", "'it' + \"'s\"", '"it\'s"'),
  value("text that is printed, and a value", "print('a')\n'b'", "a\n'b'"),
  value("a value after a line without an end", "print('a', end='')\n7", "a\n7"),
  value("a semicolon that silences", "40 + 2;", ""),
  value("a semicolon between, which does not", "y = 1; y + 1", "2"),
  value("a semicolon before a comment", "(40 +\n 2) ; # quiet", ""),
  value("a semicolon in a text", "'a;'", "'a;'"),
  value(
    "a list, a tuple, a set and a dictionary",
    "[1, 2.5], (1,), {3}, {'a': None}",
    "([1, 2.5], (1,), {3}, {'a': None})",
  ),
  value("bytes", "bytes(range(5)) + b'\\xff'", "b'\\x00\\x01\\x02\\x03\\x04\\xff'"),
  value("a large number", "2 ** 200", "1606938044258990275541962092341162602522202993782792835301376"),
  value("floats", "0.1 + 0.2, 1e300 * 1e10, float('nan')", "(0.30000000000000004, inf, nan)"),
  value("Unicode", "print('naïve 日本 🎉')\n'é🎉\\u200b'", "naïve 日本 🎉\n'é🎉\\u200b'"),
  value("a NUL and control signs", "print('a\\0b\\x1b[0m')", "a\0b\x1b[0m\n"),
  value("half a surrogate in a value", "'\\ud83d'", "'\\ud83d'"),
  value("a docstring's place", '"""Only text."""', "'Only text.'"),
  value("a name with an underscore", "_", "'Only text.'"),
  value("line ends of Windows", "a = 1\r\nif a:\r\n    print('yes')\r\n", "yes\n"),
  value("tabs and a form feed", "if True:\n\tprint('tab')\n\f\nprint('after')", "tab\nafter\n"),
];

export const STATEMENTS: Cell[] = [
  value("a function", "def double(n):\n    return 2 * n\ndouble(4)", "8"),
  value("a function of an earlier cell", "double(5)", "10"),
  value("recursion", "def fact(n): return 1 if n < 2 else n * fact(n - 1)\nfact(10)", "3628800"),
  value("globals", "count = 0\ndef up():\n    global count\n    count += 1\nup(); up()\ncount", "2"),
  value(
    "a closure and nonlocal",
    "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    return up\nc = counter(); c(); c()",
    "2",
  ),
  value("a lambda", "sorted([3, 1, 2], key=lambda n: -n)", "[3, 2, 1]"),
  value("a comprehension that reads a global", "k = 3\n[n * k for n in range(4)]", "[0, 3, 6, 9]"),
  value("nested comprehensions", "[[a * b for a in range(k)] for b in range(3)]", "[[0, 0, 0], [0, 1, 2], [0, 2, 4]]"),
  value(
    "a generator",
    "def squares(n):\n    for i in range(n):\n        yield i * i\nlist(squares(5))",
    "[0, 1, 4, 9, 16]",
  ),
  value(
    "a decorator",
    "def twice(f):\n    return lambda *a: f(f(*a))\n@twice\ndef add(n):\n    return n + 1\nadd(1)",
    "3",
  ),
  value(
    "a class with a repr",
    "class P:\n    def __init__(self, x): self.x = x\n    def __repr__(self): return f'P({self.x})'\nP(3)",
    "P(3)",
  ),
  value("a class without", "class Q: pass\nQ", "<class '__main__.Q'>"),
  value("an instance", "Q()", "<__main__.Q object at 0x>"),
  value(
    "a data class",
    "from dataclasses import dataclass\n@dataclass\nclass R:\n    a: int\n    b: str = 'x'\nR(1)",
    "R(a=1, b='x')",
  ),
  value(
    "type hints that are looked up",
    "import typing\ntyping.get_type_hints(R)",
    "{'a': <class 'int'>, 'b': <class 'str'>}",
  ),
  value("pickling a class of a cell", "import pickle\npickle.loads(pickle.dumps(R(2)))", "R(a=2, b='x')"),
  value("an enumeration", "import enum\nclass Color(enum.Enum):\n    RED = 1\nColor.RED", "<Color.RED: 1>"),
  value(
    "a match statement",
    "match {'kind': 'a', 'n': 2}:\n    case {'kind': 'a', 'n': n}:\n        print('n', n)",
    "n 2\n",
  ),
  value("an f-string", "name = 'w'\nf'{name!r:>5}|{3.14159:.2f}'", "\"  'w'|3.14\""),
  value("the walrus", "(n := 10) + n", "20"),
  value("unpacking", "a, *b = range(4)\na, b", "(0, [1, 2, 3])"),
  value("the name of the module", "__name__", "'__main__'"),
  value("if main", "if __name__ == '__main__':\n    print('main')", "main\n"),
  value(
    "annotations from the future",
    "from __future__ import annotations\ndef f(a: Undefined): pass\nf.__annotations__",
    "{'a': 'Undefined'}",
  ),
  value("which stay for the next cell", "def g(a: Unknown): pass\ng.__annotations__", "{'a': 'Unknown'}"),
  value("deleting a variable", "del x\n'x' in globals()", "False"),
  value("a loop that says much", "for i in range(3):\n    print(i, end=' ')", "0 1 2 "),
  value(
    "with and finally",
    "import contextlib\n@contextlib.contextmanager\ndef c():\n    print('in')\n    yield 1\n    print('out')\nwith c() as v:\n    print(v)",
    "in\n1\nout\n",
  ),
  value(
    "the source of a function",
    "import inspect\nprint(inspect.getsource(double))",
    "def double(n):\n    return 2 * n\n\n",
  ),
  value("a random number with a seed", "import random\nrandom.seed(1)\nrandom.randint(1, 1000)", "138"),
  value("a hash", "import hashlib\nhashlib.sha256(b'threadkeep').hexdigest()[:16]", "'04bafaae5172e630'"),
  value(
    "a database in memory",
    "import sqlite3\nc = sqlite3.connect(':memory:')\nc.execute('select 6 * 7').fetchone()",
    "(42,)",
  ),
  value("numbers with decimals", "from decimal import Decimal\nDecimal('0.1') + Decimal('0.2')", "Decimal('0.3')"),
  value("CSV", "import csv, io\nlist(csv.DictReader(io.StringIO('a,b\\n1,2')))", "[{'a': '1', 'b': '2'}]"),
  value("the folder", "import os\nos.path.basename(os.getcwd()) != ''", "True"),
];

export const STREAMS: Cell[] = [
  value("both streams in their order", "import sys\nprint('1')\nprint('2', file=sys.stderr)\nprint('3')", "1\n2\n3\n"),
  value("a write without a line's end", "sys.stdout.write('no end')", "no end\n6"),
  value("bytes to the stream below", "sys.stdout.buffer.write('é\\n'.encode())\nsys.stdout.flush()", "é\n"),
  value(
    "a warning",
    "import warnings\nwarnings.warn('careful')",
    "<cell>:2: UserWarning: careful\n  warnings.warn('careful')\n",
  ),
  value(
    "the same warning again",
    "\nwarnings.warn('careful')",
    "<cell>:2: UserWarning: careful\n  warnings.warn('careful')\n",
  ),
  value("a logger", "import logging\nlogging.basicConfig(force=True)\nlogging.warning('odd')", "WARNING:root:odd\n"),
  value("the same logger, a cell later", "logging.error('worse')", "ERROR:root:worse\n"),
  value(
    "redirected output",
    "import contextlib, io\nb = io.StringIO()\nwith contextlib.redirect_stdout(b):\n    print('inside')\nb.getvalue()",
    "'inside\\n'",
  ),
  value("pprint", "import pprint\npprint.pprint({'b': 1, 'a': [1, 2]})", "{'a': [1, 2], 'b': 1}\n"),
  value("carriage returns", "print('50%\\r100%')", "50%\r100%\n"),
  value("a printed None", "print(None)", "None\n"),
  value("an empty line", "print()", "\n"),
  value("trailing blanks of a printed text", "print('  a  ')", "  a  \n"),
];

export const FAILURES: Cell[] = [
  { name: "a division", code: "1 / 0", logs: raised(1, "1 / 0", "ZeroDivisionError: division by zero") },
  {
    name: "printed text before it",
    code: "print('so far')\nint('x')",
    logs: `so far\n${raised(2, "int('x')", "ValueError: invalid literal for int() with base 10: 'x'")}`,
  },
  {
    name: "text without a line's end before it",
    code: "print('so far', end='')\n[][1]",
    logs: `so far\n${raised(2, "[][1]", "IndexError: list index out of range")}`,
  },
  {
    name: "a name that is not there",
    code: "nowhere",
    logs: raised(1, "nowhere", "NameError: name 'nowhere' is not defined"),
  },
  { name: "a missing key", code: "{}['a b']", logs: raised(1, "{}['a b']", "KeyError: 'a b'") },
  {
    name: "an attribute",
    code: "(1).up",
    logs: raised(1, "(1).up", "AttributeError: 'int' object has no attribute 'up'"),
  },
  {
    name: "types",
    code: "'a' + 1",
    logs: raised(1, "'a' + 1", 'TypeError: can only concatenate str (not "int") to str'),
  },
  {
    name: "a module that is not there",
    code: "import no_such_module_x",
    logs: raised(1, "import no_such_module_x", "ModuleNotFoundError: No module named 'no_such_module_x'"),
  },
  {
    name: "a file that is not there",
    code: "open('none.csv')",
    logs: raised(1, "open('none.csv')", "FileNotFoundError: [Errno] No such file or directory: 'none.csv'"),
  },
  { name: "an assertion", code: "assert 1 > 2, 'no'", logs: raised(1, "assert 1 > 2, 'no'", "AssertionError: no") },
  { name: "an exception without a text", code: "raise ValueError", logs: raised(1, "raise ValueError", "ValueError") },
  {
    name: "an own exception",
    code: "class Odd(Exception): pass\nraise Odd('o')",
    logs: raised(2, "raise Odd('o')", "Odd: o"),
  },
  {
    name: "Unicode in an exception",
    code: "raise ValueError('é🎉')",
    logs: raised(1, "raise ValueError('é🎉')", "ValueError: é🎉"),
  },
  {
    name: "in a function of an earlier cell",
    code: "add(1)(2)",
    logs: raised(1, "add(1)(2)", "TypeError: 'int' object is not callable"),
  },
  {
    name: "frames of two functions",
    code: "def inner(n):\n    return 1 / n\ndef outer():\n    return inner(0)\nouter()",
    logs: 'Traceback (most recent call last):\n  File "<cell>", line 5, in <module>\n    outer()\n  File "<cell>", line 4, in outer\n    return inner(0)\n  File "<cell>", line 2, in inner\n    return 1 / n\nZeroDivisionError: division by zero\n',
  },
  {
    name: "a cause",
    code: "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e",
    logs: `${raised(2, "1 / 0", "ZeroDivisionError: division by zero")}\nThe above exception was the direct cause of the following exception:\n\n${raised(4, "raise ValueError('bad') from e", "ValueError: bad")}`,
  },
  {
    name: "a context",
    code: "try:\n    {}['k']\nexcept KeyError:\n    [][0]",
    logs: `${raised(2, "{}['k']", "KeyError: 'k'")}\nDuring handling of the above exception, another exception occurred:\n\n${raised(4, "[][0]", "IndexError: list index out of range")}`,
  },
  {
    name: "a context that is hidden",
    code: "try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('v') from None",
    logs: raised(4, "raise ValueError('v') from None", "ValueError: v"),
  },
  {
    name: "a note",
    code: "try:\n    raise ValueError('v')\nexcept ValueError as e:\n    e.add_note('a note')\n    raise",
    logs: raised(2, "raise ValueError('v')", "ValueError: v\na note"),
  },
  {
    name: "a repr that fails",
    code: "class B:\n    def __repr__(self): return 1 / 0\nB()",
    logs: 'Traceback (most recent call last):\n  File "<cell>", line 2, in __repr__\n    def __repr__(self): return 1 / 0\nZeroDivisionError: division by zero\n',
  },
  {
    name: "half a surrogate that is printed",
    code: "print('\\ud83d')",
    logs: raised(
      1,
      "print('\\ud83d')",
      "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud83d' in position 0: surrogates not allowed",
    ),
  },
  {
    name: "a text without an end",
    code: "x = 'abc",
    logs: '  File "<cell>", line 1\n    x = \'abc\nSyntaxError: unterminated string literal (detected at line 1)\n',
  },
  {
    name: "a line that is no Python",
    code: "a b c",
    logs: '  File "<cell>", line 1\n    a b c\nSyntaxError: invalid syntax\n',
  },
  {
    name: "a bracket that is never closed",
    code: "print('ran')\n(1 +",
    logs: "  File \"<cell>\", line 2\n    (1 +\nSyntaxError: '(' was never closed\n",
  },
  {
    name: "an indentation",
    code: "if True:\nprint(1)",
    logs: "  File \"<cell>\", line 2\n    print(1)\nIndentationError: expected an indented block after 'if' statement on line 1\n",
  },
  {
    name: "return outside of a function, before which nothing ran",
    code: "print('ran')\nreturn 1",
    logs: "  File \"<cell>\", line 2\n    return 1\nSyntaxError: 'return' outside function\n",
  },
  {
    name: "a command of notebooks",
    code: "!ls",
    logs: '  File "<cell>", line 1\n    !ls\nSyntaxError: invalid syntax\n',
  },
  {
    name: "endless recursion",
    code: "def down(n):\n    return down(n + 1)\ndown(0)",
    logs: 'Traceback (most recent call last):\n  File "<cell>", line 3, in <module>\n    down(0)\n  File "<cell>", line 2, in down\n    return down(n + 1)\n  File "<cell>", line 2, in down\n    return down(n + 1)\n  File "<cell>", line 2, in down\n    return down(n + 1)\n  [Previous line repeated many more times]\nRecursionError: maximum recursion depth exceeded\n',
  },
  { name: "the session lives on", code: "'alive'", logs: "'alive'" },
].map((cell) => ({ ...cell, failed: cell.name !== "the session lives on" }));

/** What Jupyter or this app does, and plain Python does in another way. */
export const OURS: Cell[] = [
  {
    name: "await at the top level",
    code: "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 'waited'\nawait f()",
    logs: "'waited'",
  },
  { name: "a task of an earlier cell", code: "t = asyncio.create_task(f())\nawait asyncio.sleep(0)", logs: "" },
  { name: "is waited for in the next", code: "await t", logs: "'waited'" },
  {
    name: "async for and with",
    code: "import contextlib\nasync def gen():\n    yield 1\n    yield 2\n@contextlib.asynccontextmanager\nasync def c():\n    yield 'c'\nasync with c() as v:\n    print(v, [i async for i in gen()])",
    logs: "c [1, 2]\n",
  },
  { name: "asyncio.run", code: "asyncio.run(f())", logs: "'waited'" },
  {
    name: "a coroutine that nothing waits for is a value",
    code: "k = f(); k.close(); type(k).__name__",
    logs: "'coroutine'",
  },
  {
    name: "an exception of a coroutine",
    code: "async def bad():\n    return 1 / 0\nawait bad()",
    failed: true,
    logs: 'Traceback (most recent call last):\n  File "<cell>", line 3, in <module>\n    await bad()\n  File "<cell>", line 2, in bad\n    return 1 / 0\nZeroDivisionError: division by zero\n',
  },
  {
    name: "input",
    code: "input('name? ')",
    failed: true,
    logs: `name? \n${raised(1, "input('name? ')", "EOFError: EOF when reading a line")}`,
  },
  { name: "reading the input", code: "sys.stdin.read()", logs: "''" },
  {
    name: "sys.exit",
    code: "import sys\nsys.exit('bye')",
    failed: true,
    logs: raised(2, "sys.exit('bye')", "SystemExit: bye"),
  },
  {
    name: "an interrupt",
    code: "raise KeyboardInterrupt",
    failed: true,
    logs: raised(1, "raise KeyboardInterrupt", "KeyboardInterrupt"),
  },
  {
    name: "an own BaseException",
    code: "class Mine(BaseException): pass\nraise Mine('m')",
    failed: true,
    logs: raised(2, "raise Mine('m')", "Mine: m"),
  },
  {
    name: "a NUL in the code",
    code: "a = 1\0",
    failed: true,
    logs: "SyntaxError: source code string cannot contain null bytes\n",
  },
  {
    name: "a figure",
    code: "class F:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n' + b'x' * 9\nF()",
    logs: "",
    images: 1,
  },
  {
    name: "a figure in text, with what describes it",
    code: "import base64\nclass G(F):\n    def _repr_png_(self): return base64.b64encode(F()._repr_png_()).decode(), {'width': 1}\nprint('before')\nG()",
    logs: "before\n",
    images: 1,
  },
  {
    name: "an object that has no picture today",
    code: "class N:\n    def _repr_png_(self): return None\n    def __repr__(self): return 'N'\nN()",
    logs: "N",
  },
  { name: "a class with pictures is not one", code: "F", logs: "<class '__main__.F'>" },
  { name: "a file", code: "open('o.csv', 'w').write('a,b\\n1,2\\n')", logs: "8", files: ["o.csv"] },
  { name: "the same file, unchanged", code: "open('o.csv').read()", logs: "'a,b\\n1,2\\n'" },
  {
    name: "a changed file, and another in a folder",
    code: "import os, time\ntime.sleep(0.02)\nos.makedirs('out/x', exist_ok=True)\nopen('o.csv', 'a').write('3,4')\nopen('out/x/ä b.txt', 'w').close()",
    logs: "",
    files: ["o.csv", "out/x/ä b.txt"],
  },
  {
    name: "a file of code that fails",
    code: "open('half.txt', 'w').write('h')\n1 / 0",
    failed: true,
    logs: raised(2, "1 / 0", "ZeroDivisionError: division by zero"),
    files: ["half.txt"],
  },
  { name: "a file that is deleted again", code: "open('no.txt', 'w').close()\nos.remove('no.txt')", logs: "" },
  { name: "another folder, which stays", code: "os.chdir('out')", logs: "" },
  {
    name: "where files are written, too",
    code: "open('in.txt', 'w').close()\nos.path.basename(os.getcwd())",
    logs: "'out'",
    files: ["out/in.txt"],
  },
  { name: "back again", code: "os.chdir('..')\nos.path.exists('o.csv')", logs: "True" },
  { name: "a closed stream", code: "sys.stdout.close()", logs: "" },
  { name: "a detached stream", code: "sys.stdout.detach();", logs: "" },
  {
    name: "another stream of the user's",
    code: "import io\nsys.stdout = sys.stderr = io.StringIO()\nprint('lost')",
    logs: "",
  },
  { name: "streams are whole again", code: "print('heard')", logs: "heard\n" },
];
