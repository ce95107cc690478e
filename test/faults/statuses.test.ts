/**
 * Every kind of failure of Cosmos DB, at every place where a client notices it: a plain request, the claim of a background
 * run, and the end of a run (background and streamed). docs/operations.md has the table of what is expected. As in Azure:
 * https, endpoint discovery, several partitions, an account with Session consistency.
 */
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FaultRule } from "../../local/cosmos/faults.ts";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { trust } from "../lib/trust.ts";
import { putFaults } from "./inject.ts";

const IN_BATCH = ["408", "410", "429", "449", "500", "503"].map((status) => `${status}-in-batch` as FaultRule["fault"]);
const LOST: FaultRule[] = [
  { fault: "cut-after" },
  { fault: "500", when: "after" },
  { fault: "503", when: "after" },
  { fault: "502-html", when: "after" },
  { fault: "empty-body", when: "after" },
];
const ANSWERS: FaultRule[] = [
  { fault: "403-3" },
  { fault: "404-1002" },
  { fault: "408" },
  { fault: "410" },
  { fault: "429", ms: 50 },
  { fault: "449" },
  { fault: "500" },
  { fault: "502-html" },
  { fault: "503" },
  { fault: "504" },
  { fault: "empty-body" },
  { fault: "cut-before" },
];
const SLOW: FaultRule[] = [{ fault: "hang" }, { fault: "latency", ms: 1_000 }];
const BATCHES: FaultRule[] = IN_BATCH.map((fault) => ({ fault }));
const PAGES: FaultRule[] = [{ fault: "empty-page" }, { fault: "short-page" }];
const KINDS = [...ANSWERS, ...LOST, ...SLOW, ...BATCHES, ...PAGES];

const nameOf = ({ fault, when }: FaultRule) => (when === undefined ? fault : `${fault} (${when} the work)`);

/** How long the trouble lasts, and when the model answers: within it. Milliseconds. */
const TROUBLE = 4_000;
const FIRST_TOKEN = 3_000;
/** A wake-up comes so late that its trouble has begun. Milliseconds. */
const WAKE_UP_DELAY = 1_500;
const ANSWER = "Because it is so.";

/** What came of a run: how it ended, what its thread holds, how often its model was asked, what its stream told. */
interface Ending {
  status: string;
  answers: string[];
  asked: number;
  heard?: string[];
}

describe("over https, with endpoint discovery, several partitions and a Session account", () => {
  let stack: Stack;
  let client: OpenAI;

  beforeAll(async () => {
    buildIfStale();
    stack = await startStack({ https: true, cosmosArgs: ["--partitions", "3", "--consistency", "session"] });
    trust(stack.cosmos.certificate);
    client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  });

  afterAll(() => stack?.stop());

  const putStoreFaults = (rules: FaultRule[]) => putFaults(stack.cosmos.endpoint, rules);
  const model = () => controlModel(stack.model.baseUrl);
  const asked = async (name: string) => (await model().report(name)).requests.length;

  /** A thread with a question, and an assistant of a model of its own. */
  async function question(name: string, firstTokenMs: number) {
    await model().script(name, [{ text: ANSWER, firstTokenMs }], { repeat: true });
    const assistant = await client.beta.assistants.create({ model: name });
    const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
    return { name, thread, request: { assistant_id: assistant.id } };
  }
  type Question = Awaited<ReturnType<typeof question>>;

  /** What the run of this question has come to; asked again and again, since these requests meet trouble as well. */
  async function endingOf({ name, thread }: Question): Promise<Ending> {
    const status = await until(async () => {
      const { data } = await client.beta.threads.runs.list(thread.id).catch(() => ({ data: [] }));
      const [run] = data;
      return run !== undefined && !["queued", "in_progress"].includes(run.status) && run.status;
    }, 60_000);
    const { data } = await client.beta.threads.messages.list(thread.id);
    const texts = data.map(({ content: [part] }) => (part?.type === "text" ? part.text.value : ""));
    return { status, answers: texts.slice(0, -1), asked: await asked(name) };
  }

  /** The events of a stream that say how it ends. */
  async function listen({ thread, request }: Question): Promise<string[]> {
    const heard: string[] = [];
    let text = "";
    const stream = await client.beta.threads.runs.create(thread.id, { ...request, stream: true });
    for await (const { event, data } of stream) {
      if (event === "thread.message.delta") {
        for (const part of data.delta.content ?? []) text += part.type === "text" ? (part.text?.value ?? "") : "";
      } else if (["thread.run.completed", "thread.run.failed", "error"].includes(event)) heard.push(event);
    }
    return [text, ...heard];
  }

  const WHOLE: Ending = { status: "completed", answers: [ANSWER], asked: 1 };

  describe("while a run is claimed", () => {
    const endings = new Map<string, Ending>();

    beforeAll(async () => {
      const questions = await Promise.all(KINDS.map((rule) => question(`claim ${nameOf(rule)}`, 0)));
      await putFaults(stack.serviceBus.controlUrl, [
        { fault: "delay", rate: 1, ms: WAKE_UP_DELAY, times: questions.length },
      ]);
      await Promise.all(questions.map(({ thread, request }) => client.beta.threads.runs.create(thread.id, request)));
      await putStoreFaults(
        KINDS.map((rule, index) => ({
          ...rule,
          containing: [questions[index]?.thread.id ?? "none"],
          forMs: TROUBLE,
        })),
      );
      await Promise.all(
        questions.map(async (each, index) =>
          endings.set(nameOf(KINDS[index] ?? { fault: "500" }), await endingOf(each)),
        ),
      );
      await putStoreFaults([]);
    }, 120_000);

    test.each(KINDS.map(nameOf))("%s: the run completes with one answer, which was asked for once", (name) => {
      expect(endings.get(name)).toEqual(WHOLE);
    });
  });

  describe("while a run ends", () => {
    const endings = new Map<string, { background: Ending; streamed: Ending }>();

    beforeAll(async () => {
      const kinds = await Promise.all(
        KINDS.map(async (rule) => ({
          rule,
          background: await question(`end ${nameOf(rule)}`, FIRST_TOKEN),
          streamed: await question(`stream ${nameOf(rule)}`, FIRST_TOKEN),
        })),
      );
      const began = await Promise.all(
        kinds.map(async ({ background: { name, thread, request }, streamed }) => {
          const heard = listen(streamed);
          await client.beta.threads.runs.create(thread.id, request);
          await until(async () => (await asked(name)) > 0 && (await asked(streamed.name)) > 0);
          return { heard };
        }),
      );
      const rules = kinds.flatMap(({ rule, background, streamed }) =>
        [background, streamed].map(({ thread }) => ({ ...rule, containing: [thread.id], forMs: TROUBLE })),
      );
      await putStoreFaults(rules);
      await Promise.all(
        kinds.map(async ({ rule, background, streamed }, index) => {
          const heard = (await began[index]?.heard) ?? [];
          endings.set(nameOf(rule), {
            background: await endingOf(background),
            streamed: { ...(await endingOf(streamed)), heard },
          });
        }),
      );
      await putStoreFaults([]);
    }, 120_000);

    test.each(KINDS.map(nameOf))("%s: the answer is stored as it was heard, and asked for once", (name) => {
      const heard = [ANSWER, "thread.run.completed"];
      expect(endings.get(name)).toEqual({ background: WHOLE, streamed: { ...WHOLE, heard } });
    });
  });

  describe("a plain request", () => {
    interface Outcome {
      read: number;
      list: number;
      write: number;
      stored: number;
    }
    const once = new Map<string, Outcome>();
    const lasting = new Map<string, Outcome>();

    const statusOf = (call: Promise<unknown>): Promise<number> =>
      call.then(
        () => 200,
        (error: unknown) => (error instanceof APIError ? Number(error.status) : 0),
      );

    /** One of each kind of request; each meets its own trouble. */
    async function outcomes(kinds: FaultRule[], times: { times?: number }): Promise<Map<string, Outcome>> {
      const threads = await Promise.all(
        kinds.map(() => client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] })),
      );
      const rules = kinds.flatMap((rule, index) =>
        (rule.fault.endsWith("in-batch") ? [undefined] : (["read", "query", "batch"] as const)).map((operation) => ({
          ...rule,
          ...times,
          ...(operation && !rule.fault.endsWith("page") && { operations: [operation] }),
          containing: [threads[index]?.id ?? "none"],
        })),
      );
      await putStoreFaults(rules);
      const statuses = await Promise.all(
        threads.map(async ({ id }) => ({
          read: await statusOf(client.beta.threads.retrieve(id)),
          list: await statusOf(client.beta.threads.messages.list(id)),
          write: await statusOf(client.beta.threads.messages.create(id, { role: "user", content: "And?" })),
        })),
      );
      await putStoreFaults([]);
      const stored = await Promise.all(threads.map(({ id }) => client.beta.threads.messages.list(id)));
      return new Map(
        statuses.map((each, index) => [
          nameOf(kinds[index] ?? { fault: "500" }),
          { ...each, stored: stored[index]?.data.length ?? 0 },
        ]),
      );
    }

    const PASSING = [...ANSWERS, ...LOST, ...BATCHES, ...PAGES];
    const LASTING = [...ANSWERS, ...LOST];

    beforeAll(async () => {
      for (const [name, outcome] of await outcomes(PASSING, { times: 1 })) once.set(name, outcome);
      for (const [name, outcome] of await outcomes(LASTING, {})) lasting.set(name, outcome);
    }, 60_000);

    test.each(PASSING.map(nameOf))("%s once: the client notices nothing", (name) => {
      // A batch that is over the throughput says so at once: the SDK looks at whole requests only.
      const write = name === "429-in-batch" ? { write: 429, stored: 1 } : { write: 200, stored: 2 };
      expect(once.get(name)).toEqual({ read: 200, list: 200, ...write });
    });

    test.each(LASTING.map((rule) => [nameOf(rule), rule] as const))(
      "%s without end: 5xx or 429, and nothing is stored twice",
      (name, rule) => {
        const status = rule.fault === "429" ? 429 : 500;
        const done = rule.when === "after" || rule.fault === "cut-after";
        // A write whose answers were all lost is found in the store, if the store can be read.
        expect(lasting.get(name)).toEqual({ read: status, list: status, write: status, stored: done ? 2 : 1 });
      },
    );
  });
});
