/** What requests cost, in request units. The bounds are those that docs/performance.md counts with. */
import { AccountConsistency } from "../../../src/store/consistency.ts";
import { SnapshotCache } from "../../../src/store/snapshots.ts";
import { Store } from "../../../src/store/store.ts";
import { WaitingRuns } from "../../../src/store/waiting.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Place } from "../place.ts";

/** What was done, what it cost, and what it may cost. */
type Price = [what: string, units: number, most: number];

function outcomeOfPrices(prices: Price[]) {
  const shown = prices.map(([what, units]) => `${what} ${units.toFixed(2)}`).join(", ");
  const dear = prices.filter(([, units, most]) => units > most);
  return outcomeOf(
    dear.map(([what, units, most]) => `${what} costs ${units.toFixed(2)}, more than ${most}`),
    shown,
  );
}

const LARGE = 300_000;

const documents: Check = {
  number: 9,
  title: "RU of single documents",
  why: "what runs cost is counted from these; a look that answers 304 is made up to 2.5 times a second",
  expected: "read 1 KB 2, at Session 1; 304 and 404 at most 2; create, delete 7; upsert 14",
  onlyOnAzure: "the metric Total Request Units also counts items that expire",
  writes: true,
  async run(place) {
    const pk = place.partition("prices");
    const { threads } = place;
    const small = place.document(pk, "small", { text: "x".repeat(700) });
    const created = await threads.items.create(small);
    const large = await threads.items.create(place.document(pk, "large", { text: "x".repeat(LARGE) }));
    const read = (id: string, more = {}) => threads.item(id, pk).read(more);
    const unless = (condition: string) => ({ accessCondition: { type: "IfNoneMatch", condition } });
    const prices: Price[] = [
      ["create", created.requestCharge, 8],
      ["read", (await read("small")).requestCharge, 2.5],
      ["at Session", (await read("small", { consistencyLevel: "Session" })).requestCharge, 1.3],
      ["304", (await read("small", unless(created.etag))).requestCharge, 2.5],
      ["304 of 300 KB", (await read("large", unless(large.etag))).requestCharge, 2.5],
      ["404", (await read("missing")).requestCharge, 2.5],
      ["upsert", (await threads.items.upsert(small)).requestCharge, 16],
      ["delete", (await threads.item("small", pk).delete()).requestCharge, 8],
    ];
    return outcomeOfPrices(prices);
  },
};

const LISTED = 100;
const RUN_IDS = 1_000;

const queries: Check = {
  number: 10,
  title: "RU of queries",
  why: "the sweep asks four times a minute, also when there is nothing to do",
  expected: `sweep and count at most 5 for each physical partition, a list of ${LISTED} 30, ${RUN_IDS} run ids 100`,
  writes: true,
  async run(place) {
    const pk = place.partition("list");
    const sort = (i: number) => `${place.name}/${String(i).padStart(3, "0")}`;
    for (let i = 0; i < LISTED; i++) {
      await place.threads.items.create(
        place.document(pk, `l${i}`, { run_id: `run_${i}`, internal: { sort: sort(i) } }),
      );
    }
    const { containers, health } = place;
    const consistency = new AccountConsistency();
    const store = new Store(containers, "account", { health, snapshots: new SnapshotCache(), consistency });
    const waiting = new WaitingRuns({ containers, health, consistency });
    const { resources: ranges } = await place.threads.readPartitionKeyRanges().fetchAll();
    const each = 5 * ranges.length;
    const list = { range: { above: sort(0).slice(0, -3), below: `${place.name}/~` }, descending: false, limit: LISTED };
    const runIds = Array.from({ length: RUN_IDS }, (_, i) => `run_${i}`);
    const thread = store.thread(place.name, "list");
    const prices: Price[] = [
      ["sweep", await costOf(place, () => store.overdueRuns(Date.now(), 500)), each],
      ["count", await costOf(place, () => waiting.count(Date.now(), ENOUGH)), each],
      ["list", await costOf(place, () => thread.list(list)), 30],
      [`IN ${RUN_IDS}`, await costOf(place, () => thread.list({ ...list, runIds })), 100],
    ];
    return outcomeOfPrices(prices);
  },
};

/** As the default of MAX_OVERDUE_RUNS. */
const ENOUGH = 10_000;

async function costOf(place: Place, work: () => Promise<unknown>): Promise<number> {
  const before = place.units;
  await work();
  return place.units - before;
}

export const priceChecks = [documents, queries];
