/** What azd makes a zip of: every file of the folder in the order of its name, with its bytes, its mode and its time. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

export function packageOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name))).sort();
  return Object.fromEntries(
    names.map((name) => {
      const file = path.join(folder, name);
      const { mode, mtimeMs } = statSync(file);
      const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
      return [name, `${digest} ${mode.toString(8)} ${new Date(mtimeMs).toISOString()}`];
    }),
  );
}
