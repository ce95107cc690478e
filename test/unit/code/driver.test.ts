/** The Python driver in each CPython of this machine, without a pool. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerIn, type DoneCell, execution, ledgerEntry, ledgerKey } from "../../../src/code/driver.ts";
import { findPython, PythonKernel } from "../../lib/code/python.ts";
import { FAILURES, normal, OURS, STATEMENTS, STREAMS, VALUES } from "./cells.ts";

const PYTHONS = [...new Set(["python3", ...(process.env.PYTHONS ?? "").split(":")].map(findPython))];

async function run(kernel: PythonKernel, code: string, id = code): Promise<DoneCell | undefined> {
  const key = ledgerKey(id, code);
  const executed = await kernel.execute(execution({ key, code, links: {} }, kernel.folder));
  const answer = answerIn(executed?.stdout ?? "", key);
  if (answer?.kind !== "in ledger") return answer;
  return ledgerEntry(await readFile(path.join(kernel.folder, "_threadkeep", `${key}.json`)), key);
}

describe.each(PYTHONS)("in %s", (python) => {
  let kernel: PythonKernel;
  beforeAll(() => {
    kernel = new PythonKernel(python ?? "");
  });
  afterAll(() => kernel.stop());

  test.each([...VALUES, ...STATEMENTS, ...STREAMS, ...FAILURES, ...OURS])("$name", async (cell) => {
    const result = await run(kernel, cell.code, cell.name);
    expect(result && normal(result.logs)).toBe(cell.logs);
    expect({
      failed: result?.failed,
      files: result?.files.map((file) => file.path),
      images: result?.images.length,
    }).toEqual({ failed: cell.failed ?? false, files: cell.files ?? [], images: cell.images ?? 0 });
  });
});
