/** Documents that no build of the app wrote, or that a hand has damaged: the checker names them and goes on. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Doc } from "../../../src/store/documents.ts";
import { ThreadSnapshot } from "../../../tools/check-store/snapshot.ts";
import { checkThread } from "../../../tools/check-store/thread.ts";
import { startWorld, type World } from "../../local/cosmos/harness.ts";
import { KEY } from "../../unit/documents.ts";
import { checkDocuments, USUAL } from "./checking.ts";
import { allDocs, answeredThread, type GoodThread } from "./good-threads.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const UNREADABLE: [what: string, broken: (good: GoodThread) => void][] = [
  ["a run has no internals", ({ run }) => void Reflect.deleteProperty(run, "internal")],
  ["a run's log has no length", ({ run }) => void Reflect.deleteProperty(run.internal, "log")],
  ["a run has a status that does not exist", ({ run }) => void Object.assign(run, { status: "resting" })],
  ["a step has no details", ({ step }) => void Object.assign(step, { step_details: null })],
  ["a call has no function", ({ calls }) => void Object.assign(calls.step_details, { tool_calls: [{}] })],
  ["a message's content is a text", ({ answer }) => void Object.assign(answer, { content: "It is sunny." })],
  ["a message has no place", ({ question }) => void Object.assign(question, { internal: null })],
  ["a thread has no lock", ({ thread }) => void Object.assign(thread, { internal: "free" })],
  [
    "a chunk of a log has no entries",
    ({ chunks }) => void Reflect.deleteProperty(chunks[0]?.internal ?? {}, "entries"),
  ],
];

describe("the checker survives, and names,", () => {
  test.each(UNREADABLE)("a document that cannot be read: %s", async (_, broken) => {
    const thread = answeredThread();
    broken(thread);
    const changed = allDocs(thread).find((doc) => !isDeepStrictEqual(doc, allDocs(answeredThread()).find(sameId(doc))));
    const { violations } = await checkDocuments(world, allDocs(thread));
    expect(violations).toContainEqual(expect.objectContaining({ rule: "form", id: changed?.id }));
  });

  test("a chunk of a log with entries that make no sense", async () => {
    const thread = answeredThread();
    thread.chunks[1]?.internal.entries.push(null, 7, "text");
    expect((await checkDocuments(world, allDocs(thread))).violations).toMatchObject([
      { rule: "events", id: thread.run.id },
    ]);
  });

  test("documents with a partition key that is no text, or none, and a partition of no tenant", async () => {
    const odd = [7, null, true, undefined].map((pk, number) => ({ id: `odd${number}`, pk }));
    const docs = [
      ...odd,
      { id: "stray", pk: "no colon", kind: "x" },
      { id: "lost", pk: "acme:a/b?" },
    ] as unknown as Doc[];
    const { violations } = await checkDocuments(world, [...allDocs(answeredThread()), ...docs]);
    const ids = violations.filter(({ rule }) => rule === "place").map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([...odd.map(({ id }) => id), "no colon", "stray", "a/b?", "lost"]));
  });

  test("whatever stands in a thread's documents, without an exception", () => {
    const good = allDocs(answeredThread());
    const paths = good.flatMap((doc, number) => pathsIn(doc).map((path) => ({ number, path })));
    const names = ["valueOf", "constructor", "__proto__"];
    fc.assert(
      fc.property(
        fc.constantFrom(...paths),
        fc.option(fc.jsonValue(), { nil: undefined }),
        ({ number, path }, value) => {
          const docs = structuredClone(good);
          put(docs[number] ?? {}, path, value);
          checkThread(new ThreadSnapshot(KEY, docs), USUAL);
        },
      ),
      {
        numRuns: 2_000,
        examples: paths.flatMap((place) => names.map((name): [typeof place, string] => [place, name])),
      },
    );
  });
});

const sameId = (doc: Doc) => (other: Doc) => other.id === doc.id;

/** The ways to everything in a document but its own id, which a store never lacks. */
function pathsIn(value: object, path: string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const way = [...path, name];
    if (way.join() === "id") return [];
    return typeof inner === "object" && inner !== null ? [way, ...pathsIn(inner, way)] : [way];
  });
}

function put(target: object, [name = "", ...rest]: string[], value: unknown): void {
  const inner: unknown = Reflect.get(target, name);
  if (rest.length > 0 && typeof inner === "object" && inner !== null) put(inner, rest, value);
  else if (value === undefined) Reflect.deleteProperty(target, name);
  else Reflect.set(target, name, value);
}
