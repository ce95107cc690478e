/**
 * kill -9 of a run's driver at every point where its code could be lost or run twice, and of the sessions' server. In
 * the session is a file that the code appends to: while the session lives, it tells how often the code has run.
 */
import OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Child } from "../../local/child.ts";
import type { FaultReport } from "../../local/cosmos/faults.ts";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { stopSound } from "../lib/sound-store.ts";
import { putFaults } from "./inject.ts";
import { batch } from "./points/points.ts";

/** Seconds: a dead driver's run is taken over after this. */
const LEASE = 3;
/** For sessions that begin on a busy machine. Milliseconds. */
const PATIENCE = 120_000;

const COUNT = "open('/mnt/data/count.txt', 'a').write('x')\nprint('counted')";
const SLOWLY = `import time\nend = time.time() + 4\nwhile time.time() < end:\n    pass\n${COUNT}`;
const python = (code: string): Turn => ({ toolCalls: [{ name: "python", arguments: { code } }] });
const LOOK = "print(open('/mnt/data/count.txt').read())";
const SAY: Turn = { text: "Counted." };

const PENDING = '"pending":"tools"';
const PUT_OUT = '"type":"logs"';

interface Point {
  name: string;
  code: string;
  /** which batch never comes back; undefined: the driver dies while code runs */
  held?: ReturnType<typeof batch>;
  /** how often the model is asked in all */
  modelCalls: number;
}

const STORING: Point[] = [
  { name: "before its calls are stored", code: COUNT, held: batch("hold-before", PENDING), modelCalls: 3 },
  { name: "after its calls are stored", code: COUNT, held: batch("hold-after", PENDING), modelCalls: 2 },
];
const WORKING: Point[] = [
  { name: "while its code runs", code: SLOWLY, modelCalls: 2 },
  { name: "before its results are stored", code: COUNT, held: batch("hold-before", PUT_OUT), modelCalls: 2 },
  { name: "after its results are stored", code: COUNT, held: batch("hold-after", PUT_OUT), modelCalls: 2 },
];

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({
    lockDuration: LEASE,
    env: { RUN_LEASE: String(LEASE), MAX_CODE_SESSIONS: "8", CODE_TIMEOUT: "30" },
    blobs: true,
    code: { isPrepared: true },
    moreHosts: [{ name: "other", env: {} }],
  });
  const [other] = stack.processes.moreHosts;
  client = new OpenAI({ baseURL: `http://127.0.0.1:${other?.ports.port}/v1`, apiKey: stack.apiKey, maxRetries: 0 });
}, PATIENCE);
afterAll(() => stopSound(stack));

const code = () => stack.codeSessions ?? { endpoint: "", key: "" };

type Scene = Awaited<ReturnType<typeof sceneOf>>;

/** A thread and an assistant whose model says this; `through` makes them. */
async function sceneOf(turns: Turn[], through = client) {
  const model = `model-${crypto.randomUUID()}`;
  const control = controlModel(stack.model.baseUrl);
  await control.script(model, turns);
  const assistant = await through.beta.assistants.create({ model, tools: [{ type: "code_interpreter" }] });
  const thread = await through.beta.threads.create({ messages: [{ role: "user", content: "How often?" }] });
  const runs = client.beta.threads.runs;
  const where = { thread_id: thread.id };
  return {
    thread,
    assistantId: assistant.id,
    start: () => runs.create(thread.id, { assistant_id: assistant.id }),
    look: (id: string) => runs.retrieve(id, where),
    end: (id: string): Promise<Run> =>
      until(async () => {
        const run = await runs.retrieve(id, where);
        return ["queued", "in_progress"].includes(run.status) ? undefined : run;
      }, PATIENCE),
    steps: async (id: string) => (await runs.steps.list(id, { ...where, order: "asc" })).data,
    messages: async () => (await client.beta.threads.messages.list(thread.id, { order: "asc" })).data,
    modelCalls: async () => (await control.report(model)).requests.length,
    discard: () => client.beta.threads.delete(thread.id),
  };
}

const logsOf = (step: Awaited<ReturnType<Awaited<ReturnType<typeof sceneOf>>["steps"]>>[number] | undefined) =>
  step?.step_details.type === "tool_calls"
    ? step.step_details.tool_calls.flatMap((call) =>
        call.type === "code_interpreter"
          ? call.code_interpreter.outputs.map((output) => (output.type === "logs" ? output.logs : "image"))
          : [],
      )
    : [];

/** How many requests the store holds. */
async function heldNow(): Promise<number> {
  const rules = (await (await fetch(new URL("/_local/faults", stack.cosmos.endpoint))).json()) as FaultReport[];
  return rules.reduce((sum, { held }) => sum + held, 0);
}

/** A run that ended once and whole. */
async function expectOnce(scene: Awaited<ReturnType<typeof sceneOf>>, run: Run) {
  expect(run).toMatchObject({ status: "completed", last_error: null });
  const steps = await scene.steps(run.id);
  expect(steps.map(({ type, status }) => [type, status])).toEqual([
    ["tool_calls", "completed"],
    ["message_creation", "completed"],
  ]);
  expect(logsOf(steps[0])).toEqual(["counted\n"]);
  expect((await scene.messages()).map(({ role }) => role)).toEqual(["user", "assistant"]);
  expect(run.usage?.total_tokens).toBe(steps.reduce((sum, { usage }) => sum + (usage?.total_tokens ?? 0), 0));
}

// One kill for points that are reached within moments of each other: the store holds a request no longer than its
// client waits.
test.each([
  ["before its code runs", STORING],
  ["when its code runs or has run", WORKING],
])(
  "a driver that is killed %s: one step, one message, and the code has run once",
  {
    timeout: 3 * PATIENCE,
  },
  async (_, points) => {
    const { functions, moreHosts } = stack.processes;
    const [other] = moreHosts;
    // Every run shall be the victim's.
    await other?.kill();
    let begun: Begun[];
    try {
      begun = await killedAt(points, functions);
    } finally {
      await putFaults(stack.cosmos.endpoint, []);
      await other?.start();
    }
    try {
      for (const each of begun) await expectOneEnd(each);
    } finally {
      await functions.start();
    }
  },
);

interface Begun {
  point: Point;
  scene: Scene;
  id: string;
}

/** Kills the only instance when it drives a run at each of these points. */
async function killedAt(points: Point[], victim: Child): Promise<Begun[]> {
  const first = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  const scenes = await Promise.all(points.map(async (point) => ({ point, scene: await sceneAt(point, first) })));
  const rules = scenes.flatMap(({ point: { held }, scene }) => {
    const { containing = [], ...rule } = held ?? { containing: [] };
    return held === undefined ? [] : [{ ...rule, containing: [scene.thread.id, ...containing], times: 1 }];
  });
  await putFaults(stack.cosmos.endpoint, rules);
  const begin = async ({ point, scene }: (typeof scenes)[number]): Promise<Begun> => {
    const { id } = await first.beta.threads.runs.create(scene.thread.id, { assistant_id: scene.assistantId });
    return { point, scene, id };
  };
  const begun = await Promise.all(scenes.filter(({ point }) => point.held !== undefined).map(begin));
  await until(async () => (await heldNow()) === rules.length, PATIENCE);
  // Last of all, since nothing holds its code.
  for (const each of scenes.filter(({ point }) => point.held === undefined)) {
    const last = await begin(each);
    begun.push(last);
    const where = { thread_id: each.scene.thread.id };
    await until(async () => (await first.beta.threads.runs.steps.list(last.id, where)).data.length > 0, PATIENCE);
  }
  await victim.kill("SIGKILL");
  await until(async () => (await heldNow()) === 0, PATIENCE);
  return begun;
}

const sceneAt = ({ modelCalls, code }: Point, through: OpenAI) => {
  const asked = Array.from({ length: modelCalls - 1 }, () => python(code));
  return sceneOf([...asked, SAY, python(LOOK), { text: "So often." }], through);
};

async function expectOneEnd({ point, scene, id }: Begun): Promise<void> {
  await expectOnce(scene, await scene.end(id));
  expect([point.name, await scene.modelCalls()]).toEqual([point.name, point.modelCalls]);
  await client.beta.threads.messages.create(scene.thread.id, { role: "user", content: "So?" });
  const later = await scene.end((await scene.start()).id);
  expect([point.name, logsOf((await scene.steps(later.id))[0])]).toEqual([point.name, ["x\n"]]);
  await scene.discard();
}

/** CODE_FAULTS=all tries them all. */
const SERVER_FAULTS: [what: string, rule: object][] = [
  // For longer than a call has attempts.
  ["full", { fault: "404", times: 6 }],
  ["losing its answer", { fault: "500", when: "after", times: 1 }],
  ["talking nonsense", { fault: "garbage", times: 1 }],
  ["busy", { fault: "429", ms: 200, times: 2 }],
  ["broken", { fault: "500", times: 2 }],
  ["cutting connections", { fault: "cut-before", times: 2 }],
];

describe("the server of sessions", { concurrent: false, timeout: 3 * PATIENCE }, () => {
  const faults = (rules: object[]) => putFaults(code().endpoint, rules);

  test.each(process.env.CODE_FAULTS === "all" ? SERVER_FAULTS : SERVER_FAULTS.slice(0, 3))(
    "that is %s: the code runs once, later",
    async (_, rule) => {
      const scene = await sceneOf([python(COUNT), SAY, python(LOOK), { text: "So often." }]);
      await faults([{ ...rule, operations: ["execute"] }]);
      const run = await scene.end((await scene.start()).id);
      await faults([]);
      await expectOnce(scene, run);
      expect(await scene.modelCalls()).toBe(2);
      await client.beta.threads.messages.create(scene.thread.id, { role: "user", content: "So?" });
      const later = await scene.end((await scene.start()).id);
      expect(logsOf((await scene.steps(later.id))[0])).toEqual(["x\n"]);
      await scene.discard();
    },
  );

  test("that refuses for good fails run and step at once", async () => {
    const scene = await sceneOf([python(COUNT)]);
    await faults([{ fault: "403", operations: ["execute"] }]);
    const run = await scene.end((await scene.start()).id);
    await faults([]);
    const last_error = { code: "server_error", message: "Sorry, something went wrong." };
    expect(run).toMatchObject({ status: "failed", last_error });
    expect(await scene.steps(run.id)).toMatchObject([{ status: "failed", last_error }]);
    await scene.discard();
  });

  test("that is killed while code runs: the code runs again in a new session, in the same step", async () => {
    const scene = await sceneOf([python(SLOWLY), SAY]);
    const run = await scene.start();
    await until(async () => (await scene.steps(run.id)).length > 0, PATIENCE);
    const server = stack.processes.code;
    await server?.kill("SIGKILL");
    await server?.start();
    await expectOnce(scene, await scene.end(run.id));
    expect(await scene.modelCalls()).toBe(2);
    await scene.discard();
  });

  test("whose session dies of its code: the model reads so, and goes on in another", async () => {
    const abort = "import os\nos.abort()";
    const scene = await sceneOf([python(abort), python("print('counted')"), SAY]);
    const run = await scene.end((await scene.start()).id);
    expect(run.status).toBe("completed");
    const [died, good] = await scene.steps(run.id);
    expect(died).toMatchObject({ status: "completed", last_error: null });
    expect(logsOf(died)[0]).toContain("The session was restarted");
    expect(logsOf(good)).toEqual(["counted\n"]);
    await scene.discard();
  });
});
