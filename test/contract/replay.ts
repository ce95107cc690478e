/** Sends what a client of the original service sent, and compares what comes back with what the original answered. */
import { z } from "zod";
import { model, type Tenant, until } from "../e2e/harness.ts";
import { ALLOWANCES, type Allowance } from "./allowances.ts";
import { Comparison, type Difference, describe } from "./comparison.ts";
import { Counterparts, idsIn } from "./counterparts.ts";
import { at, type Json, listAt, textAt } from "./json.ts";
import { NotServed } from "./not-served.ts";
import { type Answer, type Exchange, isEventStream, polledRun, type Recording } from "./recordings.ts";
import { scriptOf } from "./script.ts";
import { parseEvents } from "./server-events.ts";
import { formOf, isUpload } from "./uploaded.ts";

/** What came of the requests of one recording. */
export interface Outcome {
  recording: string;
  /** how many were answered as recorded, but for what is allowed */
  equal: number;
  /** a text for each of the others: what is neither as recorded nor allowed */
  different: string[];
  /** polls left out: they saw what the one before had seen, so that they tell only how slow the run was */
  folded: number;
  /** how many cannot be replayed yet, by reason */
  notServed: Map<string, number>;
  /** those that were needed */
  allowances: Set<Allowance>;
}

/** Replays a recording from its first request to its last; the tenant must be new. */
export async function replay(recording: Recording, tenant: Tenant): Promise<Outcome> {
  const counterparts = new Counterparts();
  const modelName = await scriptModel(recording, counterparts);
  const standIns = await createStandIns(recording, tenant, modelName, counterparts);
  const comparison = new Comparison(counterparts, standIns);
  const notServed = new NotServed(counterparts);
  const repeated = repeatedPolls(recording);
  const outcome: Outcome = {
    recording: recording.name,
    equal: 0,
    different: [],
    folded: 0,
    notServed: new Map(),
    allowances: new Set(),
  };
  for (const exchange of recording.exchanges) {
    const reason = notServed.reason(exchange);
    if (reason !== undefined) outcome.notServed.set(reason, (outcome.notServed.get(reason) ?? 0) + 1);
    else if (repeated.has(exchange)) outcome.folded++;
    else {
      const answer = isUpload(exchange)
        ? await upload(formOf(exchange, recording), tenant)
        : await answerTo(exchange, tenant, counterparts);
      judge(exchange, comparison.compare(exchange.answer, answer), outcome);
      await filesAreRead(tenant, answer);
    }
  }
  return outcome;
}

async function upload(form: FormData, tenant: Tenant): Promise<Answer> {
  const headers = { authorization: `Bearer ${tenant.key}` };
  return read(await tenant.fetch(`${tenant.openai.baseURL}/files`, { method: "POST", headers, body: form }));
}

/** The original had read them before the next request. Waits until the stores that an answer names are ready. */
async function filesAreRead({ openai }: Tenant, { json }: Answer): Promise<void> {
  for (const id of listAt(json, "tool_resources", "file_search", "vector_store_ids")) {
    await until(async () => (await openai.vectorStores.retrieve(String(id))).status === "completed");
  }
}

/** A model that says what the recorded one said, in the place of each that the requests name. */
async function scriptModel(recording: Recording, counterparts: Counterparts): Promise<string> {
  const { name, script } = model();
  await script(scriptOf(recording));
  for (const { body } of recording.exchanges) {
    const recorded = textAt(body, "model");
    if (recorded !== undefined) counterparts.set(recorded, name);
  }
  return name;
}

/**
 * The original's account had assistants from before, which its lists show, or tell of by `has_more`. Others stand in for
 * them, so that our pages are as full. Returns the recorded ids.
 */
async function createStandIns(
  { exchanges }: Recording,
  tenant: Tenant,
  modelName: string,
  counterparts: Counterparts,
): Promise<Set<string>> {
  const create = async () => (await tenant.openai.beta.assistants.create({ model: modelName })).id;
  const lists = exchanges.filter(({ method, target }) => method === "GET" && /^\/assistants(\?|$)/.test(target));
  const created = new Set(
    exchanges.filter(({ method }) => method === "POST").map(({ answer }) => textAt(answer.json, "id")),
  );
  const listed = lists.flatMap(({ answer }) => listAt(answer.json, "data").map((item) => textAt(item, "id")));
  const standIns = new Set(listed.filter((id) => id !== undefined).filter((id) => !created.has(id)));
  // The lists have the newest first; what the last one leaves out is older than all.
  if (at(lists.at(-1)?.answer.json, "has_more") === true) await create();
  for (const id of [...standIns].reverse()) counterparts.set(id, await create());
  for (const id of filesFromBefore(exchanges)) {
    const file = new File(["What this file is."], "from-before.txt");
    counterparts.set(id, (await tenant.openai.files.create({ file, purpose: "assistants" })).id);
  }
  return standIns;
}

/** Files that requests name and none has uploaded. */
function filesFromBefore(exchanges: Exchange[]): Set<string> {
  const uploaded = exchanges.filter(isUpload).map(({ answer }) => textAt(answer.json, "id"));
  const named = exchanges.flatMap(({ body }) => idsIn(JSON.stringify(body ?? null)));
  return new Set(named.filter((id) => id.startsWith("file-") && !uploaded.includes(id)));
}

/** The polls that saw a run in the same state as the poll before, with nothing done in between. */
function repeatedPolls({ exchanges }: Recording): Set<Exchange> {
  const seen = new Map<string, string | undefined>();
  const repeated = new Set<Exchange>();
  for (const exchange of exchanges) {
    const run = polledRun(exchange);
    const status = textAt(exchange.answer.json, "status");
    if (run !== undefined) {
      if (seen.has(run) && seen.get(run) === status) repeated.add(exchange);
      seen.set(run, status);
    } else if (exchange.method !== "GET") seen.clear();
  }
  return repeated;
}

/** What we answer; to a poll, once the run has come as far as the recorded one, or stopped elsewhere. */
function answerTo(exchange: Exchange, tenant: Tenant, counterparts: Counterparts): Promise<Answer> {
  const recorded = textAt(exchange.answer.json, "status");
  // To wait for a queued run makes no sense: it can only be queued at the first look.
  if (polledRun(exchange) === undefined || recorded === "queued") return send(exchange, tenant, counterparts);
  return until(async () => {
    const answer = await send(exchange, tenant, counterparts);
    const status = textAt(answer.json, "status");
    const isUnderWay = status === "queued" || status === "in_progress";
    return (status === recorded || !isUnderWay) && answer;
  });
}

/** The recorded request in our names, with its own headers but for the key, and for the length, which names change. */
async function send({ method, target, headers, body }: Exchange, tenant: Tenant, counterparts: Counterparts) {
  const ours = new Headers(headers);
  ours.set("authorization", `Bearer ${tenant.key}`);
  ours.delete("content-length");
  const response = await tenant.fetch(tenant.openai.baseURL + counterparts.translate(target), {
    method,
    headers: ours,
    ...(body === undefined ? {} : { body: JSON.stringify(counterparts.translateAll(body)) }),
  });
  return read(response);
}

async function read(response: Response): Promise<Answer> {
  const { status } = response;
  const contentType = response.headers.get("content-type") ?? "";
  if (isEventStream(contentType)) {
    return { status, contentType, json: null, events: parseEvents(await response.text()) };
  }
  const json: Json = z.json().parse(await response.json());
  return { status, contentType, json };
}

/** Sorts the differences of one answer into those that the contract allows and the others. */
function judge(exchange: Exchange, differences: Difference[], outcome: Outcome): void {
  const unexplained = differences.filter((difference) => {
    const allowance = ALLOWANCES.find(({ covers }) => covers(difference, exchange));
    if (allowance !== undefined) outcome.allowances.add(allowance);
    return allowance === undefined;
  });
  if (unexplained.length === 0) outcome.equal++;
  else outcome.different.push([`${exchange.method} ${exchange.target}`, ...unexplained.map(describe)].join("\n  "));
}
