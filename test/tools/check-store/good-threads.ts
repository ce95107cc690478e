/** Threads in which nothing is wrong, made by the functions that make them in the app; for tests to break. */
import { newThread } from "../../../src/resources/thread.ts";
import { logged } from "../../../src/runs/event-log.ts";
import {
  messageEvent,
  openingEvents,
  type RunEvent,
  runEvent,
  stepEvent,
  textDelta,
} from "../../../src/runs/events.ts";
import {
  claimed,
  completedMessage,
  completedStep,
  type Ending,
  ended,
  endedMessage,
  endedStep,
  paused,
  resumed,
} from "../../../src/runs/lifecycle.ts";
import {
  type Doc,
  type EventsDoc,
  type MessageDoc,
  messageSort,
  type ReservedIds,
  type RunDoc,
  type StepDoc,
  stepSort,
  type ThreadDoc,
} from "../../../src/store/documents.ts";
import {
  CREATED,
  callsStep,
  functionCall,
  KEY,
  messageDoc,
  messageStep,
  NOW,
  place,
  RESERVED,
  RUN_SEQ,
  replyDoc,
  runDoc,
  THREAD,
  USAGE,
} from "../../unit/documents.ts";

export const TTL = 3_600;
const NO_TOKENS = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const DOUBLE = { prompt_tokens: 40, completion_tokens: 14, total_tokens: 54 };
const LEASE = 20_000;

/** The ids of the second model call. */
const LATER: ReservedIds = {
  messageStep: `step_${place(21)}`,
  message: `msg_${place(22)}`,
  toolStep: `step_${place(23)}`,
};

export interface GoodThread {
  thread: ThreadDoc;
  question: MessageDoc;
  run: RunDoc;
  calls: StepDoc;
  step: StepDoc;
  answer: MessageDoc;
  chunks: EventsDoc[];
}

export function allDocs({ thread, question, run, calls, step, answer, chunks }: GoodThread): Doc[] {
  return [thread, question, run, calls, step, answer, ...chunks];
}

/** A step that is told to be complete and is not stored; whether the run was claimed again then. */
type VainTry = "claimed again" | "not claimed again";

/** A question, a run that called a function and then answered; it is over, and the thread free. */
export function answeredThread(ending: Ending = { status: "completed" }, vainTry?: VainTry): GoodThread {
  const { run: waiting, calls, chunks } = pausedRun();
  const outputs = [functionCall("call_1", "sunny")];
  const answered = completedStep({ ...calls, step_details: { type: "tool_calls", tool_calls: outputs } }, NOW);
  const resumedRun = resumed(waiting, NOW);
  const run = write(resumedRun, chunks, [stepEvent(answered, "completed"), runEvent(resumedRun, "queued")]);
  const taken = claimed(run, "worker-2", LATER, NOW, LEASE);
  const reply = { step: openStep(), message: openMessage() };
  const step = ending.status === "completed" ? completedStep(reply.step, NOW) : endedStep(reply.step, ending, NOW);
  const answer =
    ending.status === "completed" ? completedMessage(reply.message, NOW) : endedMessage(reply.message, ending, NOW);
  const charged = { ...taken, internal: { ...taken.internal, usage: DOUBLE, turns: 2 } };
  const over = ended(ending.status === "cancelled" ? { ...charged, status: "cancelling" } : charged, ending, NOW);
  const last = write(over, chunks, [
    runEvent(taken, "in_progress"),
    ...(vainTry === undefined ? [] : [stepEvent({ ...step, id: `step_${place(20)}` }, "completed")]),
    ...(vainTry === "claimed again" ? [runEvent(taken, "in_progress")] : []),
    ...replyEvents(reply),
    messageEvent(answer, answer.status),
    stepEvent(step, step.status),
    runEvent(over, over.status),
  ]);
  return {
    thread: threadDoc(null, last.internal.last_seq),
    question: question(),
    run: last,
    calls: answered,
    step,
    answer,
    chunks,
  };
}

/** A run that waits for the outputs of a function call, and holds the thread. */
export function waitingThread() {
  const { run, calls, chunks } = pausedRun();
  return { thread: threadDoc(run.id, RUN_SEQ), question: question(), run, calls, chunks };
}

function pausedRun() {
  const chunks: EventsDoc[] = [];
  const created = runDoc();
  const taken = claimed(created, "worker-1", RESERVED, CREATED * 1000 + 2_000, LEASE);
  const calls = callsStep([functionCall("call_1", null)], { expires_at: created.expires_at });
  const charged = { ...taken, internal: { ...taken.internal, usage: USAGE, turns: 1 } };
  const waiting = paused(charged, calls, [functionCall("call_1", null)]);
  const opening = [...openingEvents(created), runEvent(taken, "in_progress")];
  const run = write(waiting, chunks, [...opening, stepEvent(calls, "created"), runEvent(waiting, "requires_action")]);
  return { run, calls, chunks };
}

function write(run: RunDoc, chunks: EventsDoc[], events: RunEvent[]): RunDoc {
  const result = logged(run, events, TTL);
  chunks.push(...result.chunks);
  return result.run;
}

function threadDoc(activeRun: string | null, lastSeq: string): ThreadDoc {
  return {
    ...newThread({}, THREAD, CREATED),
    pk: KEY,
    kind: "thread",
    internal: { sort: `thread/acme/${place(0)}`, active_run: activeRun, last_seq: lastSeq, user_messages: 1 },
  };
}

const question = (): MessageDoc => messageDoc({}, 1);

function openStep(): StepDoc {
  const details = { type: "message_creation" as const, message_creation: { message_id: LATER.message } };
  return {
    ...messageStep(),
    id: LATER.messageStep,
    step_details: details,
    created_at: CREATED + 30,
    internal: { sort: stepSort(`run_${RUN_SEQ}`, place(21)), usage: USAGE },
  };
}

function openMessage(): MessageDoc {
  return {
    ...replyDoc("It is sunny."),
    id: LATER.message,
    created_at: CREATED + 30,
    internal: { sort: messageSort(place(22)), tokens: 7, follows_tools: true },
  };
}

function replyEvents({ step, message }: { step: StepDoc; message: MessageDoc }): RunEvent[] {
  const empty = { ...message, content: [] };
  return [
    stepEvent({ ...step, usage: null }, "created"),
    messageEvent(empty, "created"),
    messageEvent(empty, "in_progress"),
    textDelta(message, "It is ", true),
    textDelta(message, "sunny.", false),
  ];
}

/** A message that no step names, as a second driver might leave it. */
export function secondAnswer({ step, answer }: GoodThread): Doc[] {
  const message: MessageDoc = {
    ...answer,
    id: `msg_${place(25)}`,
    internal: { ...answer.internal, sort: messageSort(place(25)) },
  };
  const named = { type: "message_creation" as const, message_creation: { message_id: message.id } };
  const sort = stepSort(answer.run_id ?? "", place(24));
  return [
    message,
    { ...step, id: `step_${place(24)}`, step_details: named, usage: NO_TOKENS, internal: { sort, usage: NO_TOKENS } },
  ];
}
