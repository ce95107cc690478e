import { expect, it } from "vitest";
import { Credit } from "../../../local/functions/credit.ts";

/** A subscription: it was promised a number of messages, and is promised another for each callback that returns. */
class Subscription {
  readonly #credit: Credit;
  promised: number;
  isPresent = true;

  constructor(credit: Credit, promised: number) {
    this.#credit = credit;
    this.promised = promised;
  }

  receive(): void {
    this.promised--;
    void this.#credit.take(this.isPresent).then(() => this.promised++);
  }
}

const settled = () => new Promise(setImmediate);

it("a subscription may get as many messages as the host may hold, and one more for each that is done", async () => {
  const credit = new Credit(3);
  const subscription = new Subscription(credit, await credit.begin());
  expect(subscription.promised).toBe(3);
  for (let count = 0; count < 3; count++) subscription.receive();
  await settled();
  expect(subscription.promised).toBe(0);
  credit.give();
  await settled();
  expect(subscription.promised).toBe(1);
});

it("the next subscription gets what the messages of the last one leave, and that too once they are done", async () => {
  const credit = new Credit(3);
  const first = new Subscription(credit, await credit.begin());
  first.receive();
  first.receive();
  first.isPresent = false;
  credit.end();
  const second = new Subscription(credit, await credit.begin());
  expect(second.promised).toBe(1);
  credit.give();
  credit.give();
  // Two are owed: the callbacks of the next two messages return while their messages are still under way.
  for (const promised of [1, 1, 0]) {
    second.receive();
    await settled();
    expect(second.promised).toBe(promised);
  }
  credit.give();
  await settled();
  expect(second.promised).toBe(1);
});

it("a subscription begins as soon as there is room", async () => {
  const credit = new Credit(1);
  const first = new Subscription(credit, await credit.begin());
  first.receive();
  first.isPresent = false;
  credit.end();
  let begun: number | undefined;
  void credit.begin().then((promised) => {
    begun = promised;
  });
  await settled();
  expect(begun).toBeUndefined();
  credit.give();
  await settled();
  expect(begun).toBe(1);
});
