/** What the check of the store finds in catalogs. */
import { CosmosClient } from "@azure/cosmos";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../../local/stack.ts";
import { fileDoc } from "../../../src/files/create.ts";
import { mintId, nextSeq } from "../../../src/resources/ids.ts";
import { checkCatalog } from "../../../tools/check-store/catalog.ts";

const NOW = Date.UTC(2026, 10, 26);
let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(() => stack?.stop());

const catalog = () => new CosmosClient(stack.cosmos).database("threadkeep").container("catalog");

const newFile = () =>
  fileDoc(
    "check",
    {
      id: mintId("file", nextSeq(NOW)),
      purpose: "assistants",
      filename: "a.txt",
      expiresAfter: { anchor: "created_at", seconds: 3_600 },
    },
    5,
    NOW,
  );

test("files as the app writes them are in order, and each thing that is wrong with one is told", async () => {
  const file = newFile();
  const broken = newFile();
  const mark = { id: mintId("file", nextSeq(NOW)), pk: "check", kind: "deleted_file" };
  await catalog().items.create({ ...file });
  await catalog().items.create({
    ...broken,
    bytes: 0,
    internal: { tenant: "other", sort: "file/x", purpose_sort: "file/vision/x" },
  });
  await catalog().items.create({ ...mark, internal: { tenant: "check", due: NOW - 600_000 } });
  await catalog().items.create({ id: "thread_x", pk: "check", kind: "thread", internal: {} });
  const found = await checkCatalog(catalog(), { now: () => NOW, tolerance: 60_000 });
  const details = (id: string) => found.filter((each) => each.id === id).map(({ detail }) => detail);
  expect(details(file.id)).toEqual([]);
  expect(details(broken.id)).toEqual([
    "says that it belongs to other",
    "has 0 bytes",
    "has the place file/vision/x among those of assistants",
    "is not due when it expires",
  ]);
  expect(details(mark.id)).toEqual(["has been due for 600 s"]);
  expect(details("thread_x")).toEqual(["is a thread, which is none of the catalog's"]);
  expect(await checkCatalog(catalog(), { now: () => NOW, tolerance: 60_000, isStopped: true })).toHaveLength(5);
});
