/**
 * What holds for every stream and every log of events (docs/contract.md 4): their order, what a delta may say, and that
 * an object is in the end what its events together say. Takes events one by one and throws at the first that breaks it.
 */
import { expect } from "vitest";
import type { Message } from "../../../src/resources/message.ts";
import type { Run, RunStatus } from "../../../src/resources/run.ts";
import { type FunctionToolCall, isFunctionCall, type RunStep } from "../../../src/resources/step.ts";
import type { ServerEvent } from "./run-reader.ts";

interface Delta {
  id: string;
  delta: {
    content?: { index: number; type: string; text: { value: string; annotations?: unknown[] } }[];
    step_details?: { tool_calls: CallDelta[] };
  };
}

interface CallDelta {
  index: number;
  id?: string;
  type: string;
  function: { name?: string; arguments: string; output?: null };
}

/** Which statuses an event may tell after which; a model call that is repeated is in progress twice. */
const FOLLOWS: Partial<Record<RunStatus, RunStatus[]>> = {
  queued: ["queued", "in_progress", "cancelling"],
  in_progress: ["in_progress", "requires_action", "cancelling", "completed", "incomplete", "failed"],
  requires_action: ["queued", "cancelling"],
  cancelling: ["cancelled"],
};

export class EventLaws {
  run: Run | undefined;
  readonly steps = new Map<string, RunStep>();
  readonly messages = new Map<string, Message>();
  /** what the deltas of objects in progress have said */
  readonly #texts = new Map<string, string>();
  readonly #calls = new Map<string, FunctionToolCall[]>();

  static of(events: ServerEvent[]): EventLaws {
    const laws = new EventLaws();
    for (const [index, event] of events.entries()) {
      try {
        laws.take(event);
      } catch (error) {
        const names = events.map((each) => each.event).join(" ");
        throw new Error(`event ${index} (${event.event}) of ${names}: ${String(error)}`, { cause: error });
      }
    }
    return laws;
  }

  take({ event, data }: ServerEvent): void {
    const [, kind, name] = /^thread\.(run\.step|run|message)\.(\w+)$/.exec(event) ?? [];
    if (kind === undefined || name === undefined) throw new Error("no such event");
    if (name === "delta") {
      if (kind === "message") this.#messageDelta(data as Delta);
      else this.#stepDelta(data as Delta);
    } else if (kind === "run") this.#runEvent(name, data as Run);
    else if (kind === "run.step") this.#stepEvent(name, data as RunStep);
    else this.#messageEvent(name, data as Message);
  }

  #runEvent(name: string, run: Run): void {
    const before = this.run;
    expect(run.status).toBe(name === "created" ? "queued" : name);
    if (before === undefined) expect(["created", "queued"]).toContain(name);
    else expect(FOLLOWS[before.status]).toContain(run.status);
    if (name === "queued" && before?.status === "queued") expect(run).toEqual(before);
    if (run.status === "in_progress") this.#forgetUnfinished();
    if (END.has(run.status)) this.#expectNothingOpen(run);
    this.run = run;
  }

  /** A repeated model call begins anew what the broken one had begun. */
  #forgetUnfinished(): void {
    for (const [id, message] of this.messages) if (message.status === "in_progress") this.messages.delete(id);
    for (const [id, step] of this.steps) if (step.status === "in_progress") this.steps.delete(id);
  }

  #expectNothingOpen(run: Run): void {
    const open = [...this.messages.values(), ...this.steps.values()].filter(({ status }) => status === "in_progress");
    expect(open, `nothing is in progress in a run that is ${run.status}`).toEqual([]);
  }

  #stepEvent(name: string, step: RunStep): void {
    const before = this.steps.get(step.id);
    if (name === "created") {
      expect(before).toBeUndefined();
      expect(step.status).toBe("in_progress");
      if (step.step_details.type === "tool_calls") expect(step.step_details.tool_calls).toEqual([]);
      this.#calls.set(step.id, []);
    } else {
      expect(before?.status, "a step's events come after its creation and before its end").toBe("in_progress");
      expect(step.status).toBe(name);
      if (name === "in_progress") expect(step).toEqual(before);
      else this.#expectSaidCalls(step);
    }
    this.steps.set(step.id, step);
  }

  #expectSaidCalls(step: RunStep): void {
    if (step.step_details.type !== "tool_calls") return;
    const withoutOutputs = step.step_details.tool_calls.map((call) => {
      return isFunctionCall(call) ? { ...call, function: { ...call.function, output: null } } : call;
    });
    expect(withoutOutputs, "a step ends with what its deltas said").toEqual(this.#calls.get(step.id));
  }

  #messageEvent(name: string, message: Message): void {
    const before = this.messages.get(message.id);
    if (name === "created") {
      expect(before).toBeUndefined();
      const open = [...this.messages.values()].filter(({ status }) => status === "in_progress");
      expect(open, "one message at a time is in progress").toEqual([]);
      expect(message).toMatchObject({ status: "in_progress", content: [], attachments: [], metadata: {} });
      this.#texts.set(message.id, "");
    } else {
      expect(before?.status, "a message's events come after its creation and before its end").toBe("in_progress");
      expect(message.status).toBe(name);
      if (name === "in_progress") expect(message).toEqual(before);
      else expect(textOf(message), "a message ends with what its deltas said").toBe(this.#texts.get(message.id));
    }
    this.messages.set(message.id, message);
  }

  #messageDelta({ id, delta }: Delta): void {
    expect(this.messages.get(id)?.status).toBe("in_progress");
    const said = this.#texts.get(id) ?? "";
    const [part, ...others] = delta.content ?? [];
    expect(others).toEqual([]);
    const value = part?.text.value ?? "";
    const text = said === "" ? { value, annotations: [] } : { value };
    expect(part).toEqual({ index: 0, type: "text", text });
    expect(value).not.toBe("");
    this.#texts.set(id, said + value);
  }

  #stepDelta({ id, delta }: Delta): void {
    expect(this.steps.get(id)?.status).toBe("in_progress");
    const calls = this.#calls.get(id) ?? [];
    for (const piece of delta.step_details?.tool_calls ?? []) {
      const known = calls[piece.index];
      if (known === undefined) {
        expect(piece.index).toBe(calls.length);
        expect(piece).toMatchObject({ id: expect.any(String), function: { name: expect.any(String), output: null } });
        const { name = "", arguments: text } = piece.function;
        calls.push({ id: piece.id ?? "", type: "function", function: { name, arguments: text, output: null } });
      } else {
        // A client adds strings up: what was said once must not come again.
        expect(piece).toEqual({
          index: piece.index,
          type: "function",
          function: { arguments: expect.toSatisfy((text: unknown) => typeof text === "string" && text !== "") },
        });
        known.function.arguments += piece.function.arguments;
      }
    }
  }
}

const END = new Set<RunStatus>(["completed", "incomplete", "failed", "cancelled", "expired"]);

const textOf = (message: Message) =>
  message.content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
