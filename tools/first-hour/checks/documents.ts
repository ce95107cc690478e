/** How the store treats documents: batches, versions, order, contention, limits. */
import type { JSONObject, OperationInput, OperationResponse } from "@azure/cosmos";
import { statusOf } from "../../../src/store/trouble.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Document, Place } from "../place.ts";

const OPTIONS = { contentResponseOnWriteEnabled: false };

async function batch(place: Place, pk: string, operations: OperationInput[]): Promise<OperationResponse[]> {
  return (await place.threads.items.batch(operations, pk, OPTIONS)).result ?? [];
}

const create = (document: Document): OperationInput => ({
  operationType: "Create",
  resourceBody: document as JSONObject,
});

const statuses = (results: OperationResponse[]) => results.map(({ statusCode }) => statusCode).join(" ");

const patches: Check = {
  number: 5,
  title: "batch of patches: null, increment, condition",
  why: "a run frees its thread by setting the lock to null in the batch that ends it",
  expected: "200 200; with a wrong condition 412 and 424, nothing changed",
  writes: true,
  async run(place) {
    const pk = place.partition("patches");
    const locked = { internal: { active_run: null, count: 1 } };
    await batch(place, pk, [create(place.document(pk, "a", locked)), create(place.document(pk, "b", locked))]);
    const patch = (id: string, condition: string): OperationInput => ({
      operationType: "Patch",
      id,
      resourceBody: {
        condition: `from c where ${condition}`,
        operations: [
          { op: "set", path: "/internal/active_run", value: null },
          { op: "incr", path: "/internal/count", value: 0 },
        ],
      },
    });
    const free = "c.internal.active_run = null";
    const good = statuses(await batch(place, pk, [patch("a", free), patch("b", free)]));
    const before = (await place.threads.item("a", pk).read<Document>()).resource;
    const bad = statuses(await batch(place, pk, [patch("a", free), patch("b", "c.internal.active_run = 'run_x'")]));
    const after = (await place.threads.item("a", pk).read<Document>()).resource;
    const problems: string[] = [];
    if (good !== "200 200") problems.push(`a right batch: ${good || "no answer"}`);
    if (bad !== "424 412") problems.push(`a wrong batch: ${bad || "no answer"}`);
    if (before === undefined || before._etag !== after?._etag) problems.push("a refused batch changed a document");
    return outcomeOf(problems, `${good}; ${bad}; unchanged`);
  },
};

const etags: Check = {
  number: 6,
  title: "etags of a batch with minimal answers",
  why: "a driver continues its run by the etag of its last write",
  expected: "each of create, upsert, replace, patch has the etag that is read back",
  writes: true,
  async run(place) {
    const pk = place.partition("etags");
    await batch(
      place,
      pk,
      ["replaced", "patched"].map((id) => create(place.document(pk, id))),
    );
    const { _etag: version } = (await place.threads.item("replaced", pk).read<Document>()).resource ?? {};
    const ids = ["created", "upserted", "replaced", "patched"];
    const body = (id: string) => place.document(pk, id, { changed: true }) as JSONObject;
    const results = await batch(place, pk, [
      { operationType: "Create", resourceBody: body("created") },
      { operationType: "Upsert", resourceBody: body("upserted") },
      { operationType: "Replace", id: "replaced", resourceBody: body("replaced"), ifMatch: String(version) },
      { operationType: "Patch", id: "patched", resourceBody: { operations: [{ op: "set", path: "/x", value: 1 }] } },
    ]);
    const problems: string[] = [];
    for (const [index, id] of ids.entries()) {
      const { resource } = await place.threads.item(id, pk).read<Document>();
      const { eTag, statusCode } = results[index] ?? {};
      if (eTag === undefined || eTag !== resource?._etag)
        problems.push(`${id}: ${statusCode}, etag ${eTag ?? "missing"}`);
    }
    return outcomeOf(problems, "equal, all four");
  },
};

const ORDER = ["0", "9", "A", "Z", "a", "z", "~"];

const order: Check = {
  number: 7,
  title: "order of strings in queries",
  why: "every list is a range of strings; its end is marked by ~",
  expected: `${ORDER.join(" ")}, in both directions and in conditions`,
  writes: true,
  async run(place) {
    const pk = place.partition("order");
    const sort = (text: string) => ({ internal: { sort: `${place.name}/${text}` } });
    const documents = ORDER.toReversed().map((text, index) => place.document(pk, `o${index}`, sort(text)));
    await batch(place, pk, documents.map(create));
    const ask = async (direction: "ASC" | "DESC", above: string, below: string) => {
      const query =
        "SELECT VALUE c.internal.sort FROM c WHERE c.internal.sort > @above AND c.internal.sort < @below " +
        `ORDER BY c.internal.sort ${direction}`;
      const parameters = [
        { name: "@above", value: `${place.name}/${above}` },
        { name: "@below", value: `${place.name}/${below}` },
      ];
      const found = place.threads.items.query<string>({ query, parameters }, { partitionKey: pk });
      return (await found.fetchAll()).resources.map((text) => text.slice(-1)).join(" ");
    };
    const problems: string[] = [];
    const expect = (what: string, got: string, wanted: string[]) => {
      if (got !== wanted.join(" ")) problems.push(`${what}: ${got || "nothing"}`);
    };
    expect("ascending", await ask("ASC", "", "~~"), ORDER);
    expect("descending", await ask("DESC", "", "~~"), ORDER.toReversed());
    expect("between 9 and a", await ask("ASC", "9", "a"), ["A", "Z"]);
    return outcomeOf(problems, "the same");
  },
};

const ROUNDS = 20;
const WRITERS = 50;
/** What a writer may get when others write the same document, beside success: the app tries again. */
const CONTENTION = [412, 429, 449];

const contention: Check = {
  number: 8,
  title: `${WRITERS} parallel batches on one document, up to ${ROUNDS} rounds`,
  why: "a client's message and the end of a run patch the same thread",
  expected: `each 200, or ${CONTENTION.join(", ")}; no write lost`,
  writes: true,
  async run(place) {
    const pk = place.partition("contention");
    await batch(place, pk, [create(place.document(pk, "one", { count: 0 }))]);
    const counts = new Map<string, number>();
    const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
    let done = 0;
    const operations: OperationInput[] = [
      { operationType: "Patch", id: "one", resourceBody: { operations: [{ op: "incr", path: "/count", value: 1 }] } },
    ];
    const started = performance.now();
    const rounds = Math.ceil(ROUNDS * place.surroundings.share);
    for (let round = 0; round < rounds; round++) {
      const work = Array.from({ length: WRITERS }, async () => {
        try {
          const [result] = await batch(place, pk, operations);
          if (result?.statusCode === 200) done += 1;
          count(result?.statusCode === 200 ? "200" : `${result?.statusCode} in the batch`);
        } catch (error) {
          count(String(statusOf(error) ?? "no answer"));
        }
      });
      await Promise.all(work);
    }
    const each = (performance.now() - started) / rounds;
    const { resource } = await place.threads.item("one", pk).read<Document>();
    const problems = [...counts].filter(([what]) => ![200, ...CONTENTION].includes(Number(what.split(" ")[0])));
    const got = [...counts].map(([what, number]) => `${number} x ${what}`).join(", ");
    // A write may have been done although its answer was an error.
    const isLost = Number(resource?.count) < done;
    const texts = problems.map(([what, number]) => `${number} x ${what}`);
    return outcomeOf(
      isLost ? [...texts, `${done} done, ${resource?.count} kept`] : texts,
      `${got}; ${each.toFixed(0)} ms a round`,
    );
  },
};

interface Limit {
  what: string;
  good: (pk: string) => Promise<unknown>;
  bad: (pk: string) => Promise<unknown>;
}

function limitsOf(place: Place): Limit[] {
  const { threads } = place;
  const put = (pk: string, id: string, more: Record<string, unknown> = {}) =>
    threads.items.create(place.document(pk, id, more));
  const patch = async (pk: string, count: number) => {
    const operations = Array.from({ length: count }, (_, i) => ({ op: "set" as const, path: `/p${i}`, value: i }));
    await threads.item("patched", pk).patch(operations);
  };
  const writes = (pk: string, count: number, name: string) =>
    batch(
      place,
      pk,
      Array.from({ length: count }, (_, i) => create(place.document(pk, `${name}${i}`))),
    );
  const key = (length: number) => place.partition("key:").padEnd(length, "k");
  const long = (length: number) => {
    const pk = key(length);
    place.use(pk);
    return put(pk, "k");
  };
  return [
    {
      what: "2 MB",
      good: (pk) => put(pk, "m", { text: "x".repeat(1_900_000) }),
      bad: (pk) => put(pk, "n", { text: "x".repeat(2_200_000) }),
    },
    { what: "id 1,023 bytes", good: (pk) => put(pk, "i".repeat(1_023)), bad: (pk) => put(pk, "i".repeat(1_024)) },
    { what: "key 2,048 bytes", good: () => long(2_048), bad: () => long(2_049) },
    {
      what: "128 levels",
      good: (pk) => put(pk, "d", { deep: nested(100) }),
      bad: (pk) => put(pk, "e", { deep: nested(140) }),
    },
    { what: "10 patches", good: (pk) => patch(pk, 10), bad: (pk) => patch(pk, 11) },
    { what: "100 writes", good: (pk) => writes(pk, 100, "w"), bad: (pk) => writes(pk, 101, "v") },
  ];
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { in: value };
  return value;
}

const limits: Check = {
  number: 12,
  title: "limits of documents and batches",
  why: "the app cuts its writes to fit just below them",
  expected: "taken below, refused above: 2 MB, id 1,023 bytes, key 2,048 bytes, 128 levels, 10 patches, 100 writes",
  writes: true,
  async run(place) {
    const pk = place.partition("limits");
    await place.threads.items.create(place.document(pk, "patched"));
    const problems: string[] = [];
    for (const { what, good, bad } of limitsOf(place)) {
      await good(pk).catch((error: unknown) => problems.push(`${what}: refused below (${statusOf(error)})`));
      const refused = await bad(pk).then(
        () => false,
        () => true,
      );
      if (!refused) problems.push(`${what}: taken above`);
    }
    return outcomeOf(problems, "all of them");
  },
};

export const documentChecks = [patches, etags, order, contention, limits];
