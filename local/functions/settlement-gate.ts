// Lets one settlement start per turn of the event loop.

/**
 * rhea 3.0.5 (under @azure/service-bus) merges the settlements that a receiver issues within one turn into AMQP
 * disposition ranges, and does not compare the outcome of the second delivery with that of the first: complete(A) and
 * abandon(B) in one turn leave as "A..B accepted", and B is lost although both promises resolve. With only one
 * settlement started in each turn there is nothing to merge. (In Azure the .NET host settles, and is not affected.)
 */
export class SettlementGate {
  #previous: Promise<void> = Promise.resolve();

  /** Resolves in a turn of the event loop that belongs to this caller alone, in the order of the calls. */
  pass(): Promise<void> {
    this.#previous = this.#previous.then(nextTurn);
    return this.#previous;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
