/** Searching vector stores through the real SDK, with all traps of the service in the way. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { normalised } from "../../../src/model/vectors.ts";
import { MAX_LIST_BYTES } from "../../../src/resources/limits.ts";
import { StoreTrouble } from "../../../src/store/trouble.ts";
import { type Library, newStore, type Passage, startLibrary, TENANT } from "./library.ts";

let library: Library;
let planned: Library;
beforeAll(async () => {
  library = await startLibrary({ partitions: 3 });
  planned = await startLibrary({ partitions: 3, settings: { vectorQueries: "planned" } });
});
beforeEach(() => library.cosmos.setFaults([]));
afterAll(() => Promise.all([library.close(), planned.close()]));

const NOUNS = "lamp river engine castle violin pepper glacier ticket copper beetle harbor saddle".split(" ");
const VERBS = "paints repairs observes collects sells measures burns hides studies moves".split(" ");

/** Passages with one or two topics each: 60 of a topic are more than a query finds. */
const topical = (count: number): Passage[] =>
  Array.from({ length: count }, (_, i) => ({
    file: `file-${Math.floor(i / 4)}`,
    n: i % 4,
    text: `The ${NOUNS[i % 12]} number ${i} ${VERBS[i % 10]} the ${NOUNS[(i * 7) % 12]} of room ${i % 9}.`,
  }));

const cosine = (a: number[], b: number[]) => {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

describe("a store of 300 chunks", () => {
  const store = newStore();
  const passages = topical(300);
  const question = "Where do quetzals live?";
  // Its vector is as far as one can be from that of the question: only its words can find it.
  const odd: Passage = { file: "file-odd", text: "The quetzal of Guatemala is a bird.", vector: [] };
  beforeAll(async () => {
    odd.vector = library.vectorOf(question).map((value) => -value);
    for (const each of [library, planned]) await each.add(TENANT, store, [...passages, odd]);
  });

  test("the nearest 50 are the nearest of all, also where the service wants a plan", async () => {
    for (const each of [library, planned]) {
      const vector = library.vectorOf("the glacier of room 3");
      const found = await each.app.store.chunks(TENANT, store).nearest(vector, undefined, new AbortController().signal);
      const cosines = passages.map(({ text }) => cosine(vector, library.vectorOf(text)));
      const best = cosines.sort((a, b) => b - a).slice(0, 50);
      expect(found).toHaveLength(50);
      for (const [index, { cos }] of found.entries()) expect(cos).toBeCloseTo(best[index] ?? 0, 4);
    }
  });

  test("a passage that is near by its words only is found, unless only meaning counts", async () => {
    const names = async (ranking: object) =>
      (await library.search(question, { vectorStoreId: store, ranking })).map(({ fileId }) => fileId);
    expect((await names({}))[0]).toBe("file-odd");
    expect(await names({ ranker: "none" })).not.toContain("file-odd");
    expect(await names({ textWeight: 0, embeddingWeight: 1 })).not.toContain("file-odd");
  });

  test("results are sorted, bounded, each there once, and with all that the API shows", async () => {
    const queries = ["lamp", "the lamp of room 1", "violin"].map((text) => ({ text, vector: library.vectorOf(text) }));
    const found = await library.search("", { vectorStoreId: store, queries, maxNumResults: 30 });
    expect(found).toHaveLength(30);
    expect(new Set(found.map(({ fileId, n }) => `${fileId}/${n}`)).size).toBe(30);
    const scores = found.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    const [first] = found;
    const alone = await Promise.all(queries.map(({ text }) => library.search(text, { vectorStoreId: store })));
    expect(first?.score).toBe(Math.max(...alone.map(([best]) => best?.score ?? 0)));
    expect(first).toEqual({
      fileId: expect.stringMatching(/^file-\d+$/),
      filename: `${first?.fileId}.txt`,
      score: expect.any(Number),
      attributes: {},
      text: expect.stringMatching(/lamp|violin/),
      n: expect.any(Number),
    });
  });

  test("a threshold leaves out what has less", async () => {
    const all = await library.search("glacier", { vectorStoreId: store, maxNumResults: 50 });
    const limit = all[9]?.score ?? 0;
    const some = await library.search("glacier", {
      vectorStoreId: store,
      maxNumResults: 50,
      ranking: { scoreThreshold: limit },
    });
    expect(some).toEqual(all.filter(({ score }) => score >= limit));
    expect(some.length).toBeLessThan(all.length);
  });
});

test("a small store is searched with one query, and what is not there has no results", async () => {
  const store = newStore();
  await library.add(TENANT, store, topical(49));
  await library.search("lamp", { vectorStoreId: store });
  const before = requests(library);
  expect(await library.search("lamp", { vectorStoreId: store })).toHaveLength(10);
  // The query on two pages, and the plan that the SDK asks for beside it.
  expect(requests(library) - before).toBe(3);
  expect(await library.search("lamp", { vectorStoreId: newStore() })).toEqual([]);
  expect(await library.search("who is it", { vectorStoreId: store })).toHaveLength(10);
});

test.each(["served", "planned"])("tenants and stores never mix, with vector queries that are %s", async (kind) => {
  const each = kind === "served" ? library : planned;
  const same = newStore();
  const owners = [
    { tenant: "acme", store: same },
    { tenant: "globex", store: same },
    ...Array.from({ length: 8 }, () => ({ tenant: "acme", store: newStore() })),
  ];
  for (const [index, { tenant, store }] of owners.entries()) {
    const own = topical(60).map((passage) => ({ ...passage, file: `file-${index}-${passage.file}` }));
    await each.add(tenant, store, own);
  }
  for (const [index, { tenant, store }] of owners.entries()) {
    const chunks = each.app.store.chunks(tenant, store);
    const { signal } = new AbortController();
    const vector = library.vectorOf("lamp");
    for (const found of [
      await chunks.nearest(vector, undefined, signal),
      await chunks.withWords(["lamp", "number"], vector, undefined, signal),
    ]) {
      expect(found).toHaveLength(50);
      expect(found.filter(({ file_id: id }) => !id.startsWith(`file-${index}-`))).toEqual([]);
    }
  }
});

describe("trouble:", () => {
  const store = newStore();
  beforeAll(() => library.add(TENANT, store, topical(60)));

  test("an aborted search ends with the signal's reason, and the store is not blamed", async () => {
    library.cosmos.setFaults([{ fault: "hang", operations: ["query"] }]);
    const controller = new AbortController();
    const search = library.search("lamp", { vectorStoreId: store, signal: controller.signal });
    const waits = expect(search).rejects.toThrow("enough");
    await expect.poll(() => library.cosmos.faults().some(({ held }) => held > 0)).toBe(true);
    controller.abort(new Error("enough"));
    await waits;
    library.cosmos.setFaults([]);
    expect(library.app.store.health.troubledWithin(60_000)).toBe(false);
    await expect(library.search("lamp", { vectorStoreId: store, signal: controller.signal })).rejects.toThrow("enough");
  });

  test("a physical partition is split between two searches", async () => {
    const search = () => library.search("violin of room 4", { vectorStoreId: store });
    const before = await search();
    const response = await fetch(`${library.cosmos.endpoint}/_local/split/threadkeep/stores/1`, { method: "POST" });
    expect(response.status).toBe(200);
    expect(await search()).toEqual(before);
  });

  test("what the store does not answer is trouble", async () => {
    library.cosmos.setFaults([{ fault: "503", operations: ["query"] }]);
    await expect(library.search("lamp", { vectorStoreId: store })).rejects.toThrow(StoreTrouble);
  });
});

test("chunks that older builds cut too large: the best ones come, as many as a list's bytes allow", async () => {
  const store = newStore();
  const text = (n: number) => `word${n} ${" ".repeat(250_000)}`;
  const large = Array.from({ length: 60 }, (_, n) => ({ file: `file-${n}`, text: text(n) }));
  for (const passage of large) await library.add(TENANT, store, [passage]);
  const queries = Array.from({ length: 3 }, (_, n) => ({
    text: `word${n}`,
    vector: library.vectorOf(text(n)),
  }));
  const found = await library.search("", { vectorStoreId: store, queries, maxNumResults: 50 });
  expect(found).toHaveLength(31);
  expect(Buffer.byteLength(JSON.stringify(found))).toBeLessThanOrEqual(MAX_LIST_BYTES);
  // Each query's own passage is the best one for it.
  const best = found.slice(0, 3).map(({ fileId }) => fileId);
  expect(best.toSorted()).toEqual(queries.map((_, n) => `file-${n}`));
});

test("four queries of a process are asked at a time, and one that waits ends with its signal", async () => {
  const store = newStore();
  await library.add(TENANT, store, topical(20));
  library.cosmos.setFaults([{ fault: "hang", operations: ["query"] }]);
  const held = () => library.cosmos.faults().reduce((sum, each) => sum + each.held, 0);
  const controller = new AbortController();
  const queries = ["lamp", "river", "engine", "castle"].map((text) => ({ text, vector: library.vectorOf(text) }));
  const searches = Array.from({ length: 5 }, () =>
    library.search("", { vectorStoreId: store, queries, signal: controller.signal }),
  );
  const ended = Promise.allSettled(searches);
  await expect.poll(held, { timeout: 10_000 }).toBe(4);
  controller.abort(new Error("enough"));
  expect(await ended).toEqual(searches.map(() => ({ status: "rejected", reason: new Error("enough") })));
  expect(held()).toBe(4);
  library.cosmos.setFaults([]);
  expect(await library.search("", { vectorStoreId: store, queries })).toHaveLength(10);
});

test("a rounded vector has less than half of the bytes, and the same results", () => {
  const exact = Array.from({ length: 200 }, (_, seed) =>
    Array.from({ length: 256 }, (_, i) => Math.fround(Math.sin((seed + 1) * (i + 1) * 1.618) / 11)),
  );
  const rounded = exact.map((vector) => normalised(Float64Array.from(vector)));
  const bytes = (vectors: number[][]) => JSON.stringify(vectors).length;
  expect(bytes(rounded) / bytes(exact)).toBeLessThan(0.5);
  const [query = []] = exact;
  const order = (vectors: number[][]) =>
    vectors
      .map((vector, index) => ({ index, cos: cosine(query, vector) }))
      .sort((a, b) => b.cos - a.cos)
      .slice(0, 20)
      .map(({ index }) => index);
  expect(order(rounded)).toEqual(order(exact));
});

const requests = ({ app }: Library) =>
  Object.values(app.cost.report()).reduce((sum, { requests: count }) => sum + count, 0);
