/** The client and its driver against the local server: Python in Deno. */
import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CodeSessions as Server, startCodeSessions } from "../../../local/code-sessions/server.ts";
import { DynamicSessions } from "../../../src/code/dynamic-sessions.ts";
import type { CodeSession } from "../../../src/code/session.ts";
import { FAILURES, normal, OURS, STATEMENTS, STREAMS, VALUES } from "./cells.ts";

let server: Server;
let session: CodeSession;
const NEVER = new AbortController().signal;
beforeAll(async () => {
  server = await startCodeSessions({ key: "k", cache: mkdtempSync(path.join(tmpdir(), "tk-code-")) });
  const code = { endpoint: server.endpoint, key: "k", timeout: 60 };
  session = new DynamicSessions({ code, managedIdentityClientId: undefined, hasIdentityEndpoint: false }).open({
    id: randomUUID(),
  });
}, 60_000);
afterAll(() => server.stop());

describe("in Pyodide", () => {
  test.each([...VALUES, ...STATEMENTS, ...STREAMS, ...FAILURES, ...OURS])("$name", async (cell) => {
    const result = await session.run({ id: cell.name, code: cell.code, timeout: 20 }, NEVER);
    if (result.kind !== "done") throw new Error(result.kind);
    expect(normal(result.logs)).toBe(cell.logs);
    expect({
      failed: result?.failed,
      files: result?.files.map((file) => file.path),
      images: result?.images.length,
    }).toEqual({ failed: cell.failed ?? false, files: cell.files ?? [], images: cell.images ?? 0 });
  });
});
