/** Every operation there is, tried by one tenant on what another one owns, under every base of the API. */
import { expect, test } from "vitest";
import type { Operation } from "../../../src/api/operation.ts";
import { operations } from "../../../src/api/operations/index.ts";
import { digestOf, type Fixture, newFixture } from "./fixture.ts";
import { pathOf } from "./paths.ts";
import { schemaOf, simplest } from "./schema.ts";
import { sendRaw } from "./wire.ts";

const BASES = ["/v1", "/openai", "/api/projects/demo"];

/** What the answer names as missing: what comes first in the path, or in the body of a run. */
const MISSING: [name: string, says: (id: string | undefined) => string, param: string | null][] = [
  ["thread_id", (id) => `No thread found with id '${id}'.`, null],
  ["vector_store_id", (id) => `No vector store found with id '${id}'.`, null],
  ["assistant_id", (id) => `No assistant found with id '${id}'.`, null],
  ["file_id", (id) => `No such File object: ${id}`, "id"],
  ["upload_id", (id) => `No upload found with id '${id}'.`, null],
];

/** Which files a batch has is said in one of two ways: the schema cannot say that it must be in one of them. */
function bodyOf(operation: Operation, { ids }: Fixture): string | undefined {
  if (operation.body === undefined) return undefined;
  if (operation.name === "createFileBatch") return JSON.stringify({ file_ids: [ids.file_id] });
  return JSON.stringify(simplest(schemaOf(operation.body), ids));
}

const SLOW = { timeout: 60_000 };

test.for(BASES)(
  "under %s, no operation reaches what another tenant owns, or tells that it exists",
  SLOW,
  async (base) => {
    const [owner, stranger] = await Promise.all([newFixture(), newFixture()]);
    const before = await digestOf(owner);
    const strangers = await digestOf(stranger);
    const headers = { authorization: `Bearer ${stranger.tenant.key}`, "content-type": "application/json" };

    for (const operation of operations.filter((each) => each.path.includes("{"))) {
      const body = bodyOf(operation, stranger);
      const path = `${base}${pathOf(operation, owner.ids)}?api-version=2024-08-01-preview`;
      const { status, text } = await sendRaw({ method: operation.method, path, headers, body });

      const [name = "", says, param] = MISSING.find(([each]) => operation.path.includes(`{${each}}`)) ?? [];
      const error = { message: says?.(owner.ids[name]), type: "invalid_request_error", param, code: null };
      expect({ operation: operation.name, status, body: JSON.parse(text) }).toEqual({
        operation: operation.name,
        status: 404,
        body: { error },
      });
    }
    expect(await digestOf(owner)).toBe(before);
    expect(await digestOf(stranger)).toBe(strangers);
  },
);

test.for(BASES)("under %s, a run cannot be given another tenant's assistant", SLOW, async (base) => {
  const [owner, stranger] = await Promise.all([newFixture(), newFixture()]);
  const headers = { authorization: `Bearer ${stranger.tenant.key}`, "content-type": "application/json" };
  const body = JSON.stringify({ assistant_id: owner.ids.assistant_id });
  const strangers = await digestOf(stranger);

  for (const path of [`/threads/${stranger.ids.thread_id}/runs`, "/threads/runs"]) {
    const full = `${base}${path}?api-version=2024-08-01-preview`;
    const { status, text } = await sendRaw({ method: "POST", path: full, headers, body });
    expect({ path, status }).toEqual({ path, status: 404 });
    expect(JSON.parse(text).error.message).toBe(`No assistant found with id '${owner.ids.assistant_id}'.`);
  }
  expect(await digestOf(stranger)).toBe(strangers);
});

test.for(BASES)("under %s, lists show what is one's own, also after another tenant's cursor", SLOW, async (base) => {
  const [owner, stranger] = await Promise.all([newFixture(), newFixture()]);
  const headers = { authorization: `Bearer ${stranger.tenant.key}` };
  const version = "api-version=2024-08-01-preview";
  const lists = operations.filter((each) => each.name.startsWith("list") && isServed(each.name, base));

  for (const operation of lists) {
    const path = `${base}${pathOf(operation, stranger.ids)}?${version}`;
    for (const cursor of ["", ...Object.values(owner.ids).flatMap((id) => [`&after=${id}`, `&before=${id}`])]) {
      const { status, text } = await sendRaw({ method: "GET", path: path + cursor, headers });
      // A cursor in a vector store's files is a file's id, which is looked for there.
      expect([200, 400, 404]).toContain(status);
      const shown = status === 200 ? text : "";
      for (const id of Object.values(owner.ids)) expect(shown).not.toContain(id);
    }
  }
});

const isServed = (name: string, base: string) => name !== "listThreads" || base.startsWith("/api/projects");
