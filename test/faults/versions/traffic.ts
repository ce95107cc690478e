/** Conversations one after the other in a few lanes, for as long as the fleet is rolled. */
import { Conversation, STORIES } from "./conversation.ts";
import type { Build, Fleet } from "./fleet.ts";

export class Traffic {
  readonly conversations: Conversation[] = [];
  readonly failures: string[] = [];
  readonly #fleet: Fleet;
  readonly #lanes: Promise<void>[];
  #isOver = false;

  constructor(fleet: Fleet, lanes: number) {
    this.#fleet = fleet;
    this.#lanes = Array.from({ length: lanes }, () => this.#lane());
  }

  get ended(): Conversation[] {
    return this.conversations.filter(({ ended }) => ended !== undefined);
  }

  /** Runs that one build created, and the other one drove to their end. */
  async crossed(from: Build, to: Build): Promise<number> {
    const created = this.ended.filter(({ createdBy }) => createdBy === from);
    const drivers = await Promise.all(created.map((each) => each.drivers()));
    return drivers.filter((names) => names.some((name) => (name === "older") === (to === "older"))).length;
  }

  /** Lets the conversations that are under way come to their ends. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
  }

  async #lane(): Promise<void> {
    while (!this.#isOver) {
      const story = STORIES[this.conversations.length % STORIES.length] ?? "background";
      const conversation = new Conversation(this.#fleet, story);
      this.conversations.push(conversation);
      try {
        await conversation.hold();
      } catch (error) {
        this.failures.push(`${story} (${conversation.created?.id}, thread ${conversation.threadId}): ${error}`);
      }
    }
  }
}
