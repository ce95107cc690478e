/** How the simulated model writes code: when it is asked to calculate or to draw, for the first table it is told of. */
import type { ChatCompletionFunctionTool } from "openai/resources/chat/completions";

/** The function of a server that runs Python for its models. */
export const isPython = ({ function: { name } }: ChatCompletionFunctionTool): boolean =>
  name === "python" || name === "code_interpreter";

export const isAboutCode = (text: string): boolean => /\b(charts?|plot|draw|calculate|compute|python)\b/i.test(text);

/** A table among the files that the function's description names. */
const TABLE = /^- (\/mnt\/data\/\S+) \("[^"]*\.csv"/m;

/** A sum in a text. */
const SUM = /\d[\d\s.]*(?:[-+*/]\s*\d[\d\s.]*)+/;

export function codeFor(text: string, description: string): string {
  const [, table] = TABLE.exec(description) ?? [];
  if (table !== undefined) return chartOf(table);
  const [sum] = SUM.exec(text) ?? [];
  return sum === undefined ? 'print("Nothing to calculate was found.")' : sum.trim();
}

/** Files that code has written, as links; undefined if it has written none. */
export function linksIn(output: string): string | undefined {
  const [, told] = /^\[files: (.*)\]$/m.exec(output) ?? [];
  const paths = told?.match(/\/mnt\/data\/[^,()]+(?= \()/g) ?? [];
  if (paths.length === 0) return undefined;
  return paths.map((file) => `[${file.slice(file.lastIndexOf("/") + 1)}](sandbox:${file})`).join(", ");
}

/**
 * Adds the last column up by the first one, writes the sums to a file and draws them: with matplotlib where there is
 * one, else as an image of plain bars that the code makes itself.
 */
const chartOf = (table: string) => `import csv
from collections import Counter

totals = Counter()
with open("${table}") as file:
    for first, *_, last in list(csv.reader(file))[1:]:
        totals[first] += float(last)
with open("/mnt/data/totals.csv", "w") as file:
    csv.writer(file).writerows(totals.items())
print(dict(totals))
try:
    import matplotlib.pyplot as plt
    plt.bar(list(totals), list(totals.values()))
except ImportError:
    import struct, zlib

    class Bars:
        def _repr_png_(self):
            highest = max(totals.values())
            width = 40 * len(totals)
            rows = b""
            for y in range(120):
                row = b""
                for value in totals.values():
                    filled = 120 - y <= 110 * value / highest
                    row += b"\\xff" * 8 + (b"\\x40" if filled else b"\\xff") * 24 + b"\\xff" * 8
                rows += b"\\0" + row
            def chunk(kind, data):
                return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            head = struct.pack(">IIBBBBB", width, 120, 8, 0, 0, 0, 0)
            parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
            return b"\\x89PNG\\r\\n\\x1a\\n" + parts
    display = Bars()
else:
    display = None
display`;
