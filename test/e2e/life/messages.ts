/** The calls that change the messages of a thread, each with what it must answer as things stand. */
import { expect } from "vitest";
import type { Message } from "../../../src/resources/message.ts";
import { expectRefused } from "./calls.ts";
import type { Role } from "./sequences.ts";
import { type KnownMessage, knownMessage, type ThreadModel } from "./thread-model.ts";
import type { World } from "./world.ts";

export class CallsOfMessages {
  readonly #world: World;
  readonly #thread: ThreadModel;

  constructor(world: World, thread: ThreadModel) {
    this.#world = world;
    this.#thread = thread;
  }

  async add(role: Role, content: string): Promise<void> {
    const { id, lastRun } = this.#thread;
    const answer = await this.#world.call("POST", `/threads/${id}/messages`, { role, content });
    if (this.#thread.isDeleted) return expectRefused(answer, 404, `No thread found with id '${id}'.`);
    if (answer.status === 200) {
      lastRun?.seeOver();
      this.#thread.timeline.push(knownMessage(role, content, (answer.body as Message).id));
      return;
    }
    expectRefused(answer, 400, `Can't add messages to ${id} while a run ${lastRun?.id} is active.`);
    expect(lastRun?.mayBeActive).toBe(true);
  }

  /** Any message that is in the list now, also one that a run is writing. */
  async modify(pick: number, metadata: Record<string, string>): Promise<void> {
    const [message, known] = await this.#pick(pick);
    if (message === undefined) return;
    const answer = await this.#world.call("POST", `/threads/${this.#thread.id}/messages/${message.id}`, { metadata });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id: message.id, metadata });
    if (known !== undefined) known.metadata = metadata;
  }

  /** A message that is still being written would come back, and that is as the contract leaves it. */
  async delete(pick: number): Promise<void> {
    const [message, known] = await this.#pick(pick);
    if (message === undefined || known === undefined || message.status === "in_progress") return;
    const path = `/threads/${this.#thread.id}/messages/${message.id}`;
    const answer = await this.#world.call("DELETE", path);
    expect(answer).toMatchObject({
      status: 200,
      body: { id: message.id, object: "thread.message.deleted", deleted: true },
    });
    known.deleted = message;
    const again = await this.#world.call("GET", path);
    expectRefused(again, 404, `No message found with id '${message.id}'.`);
  }

  /** With what the reference knows of it: a reply that it has not seen before becomes known. */
  async #pick(pick: number): Promise<[Message | undefined, KnownMessage | undefined]> {
    const { id, isDeleted, runs } = this.#thread;
    const answer = await this.#world.call("GET", `/threads/${id}/messages?order=asc&limit=100`);
    if (isDeleted) {
      expectRefused(answer, 404, `No thread found with id '${id}'.`);
      return [undefined, undefined];
    }
    const { data } = answer.body as { data: Message[] };
    const message = data[pick % Math.max(data.length, 1)];
    if (message === undefined) return [undefined, undefined];
    const known = this.#thread.messages.find((each) => each.id === message.id);
    const run = runs.find((each) => each.id === message.run_id);
    if (known !== undefined) return [message, known];
    if (run === undefined) return [undefined, undefined];
    return [message, run.learnReply(message.id)];
  }

  /** Whether a message of this run is in the list while it is being written. */
  async isBeingWritten(runId: string): Promise<boolean> {
    const path = `/threads/${this.#thread.id}/messages?run_id=${runId}`;
    const { data } = (await this.#world.call("GET", path)).body as { data: Message[] };
    return data.some((message) => message.status === "in_progress");
  }
}
