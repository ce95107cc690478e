/** The ends of deliveries, as AMQP spells them. */
import type { Queue } from "./engine.ts";
import type { RheaDelivery, RheaOutcome, Typed } from "./rhea-internals.ts";

export type Settling = "accepted" | "released" | "modified" | "rejected";

/** The outcomes of AMQP are the settlements of the SDKs. */
export function settle(queue: Queue, key: string, settling: Settling, { remote_state: state }: RheaDelivery): void {
  if (settling === "accepted") {
    queue.settle(key, "complete");
  } else if (settling === "released") {
    queue.settle(key, "release");
  } else if (settling === "modified") {
    queue.settle(key, state?.undeliverable_here ? "defer" : "abandon", { properties: annotationsOf(state) });
  } else {
    const { DeadLetterReason: reason, DeadLetterErrorDescription: description, ...properties } = errorInfoOf(state);
    queue.settle(key, "deadLetter", { properties, reason: textOf(reason), description: textOf(description) });
  }
}

/** The third field of `modified`. */
const annotationsOf = (state: RheaOutcome | undefined) => typedMap(state?.value[2]);

/** The first field of `rejected` is an error, whose third field is a map. */
function errorInfoOf(state: RheaOutcome | undefined): Record<string, Typed> {
  const error = state?.value[0]?.value;
  return Array.isArray(error) ? typedMap(error[2]) : {};
}

/** A map with the types that its sender gave to its values: rhea's own reading would turn an int into a long. */
function typedMap(map: Typed | undefined): Record<string, Typed> {
  const entries: Record<string, Typed> = {};
  if (!Array.isArray(map?.value)) return entries;
  const items: Typed[] = map.value;
  for (let at = 0; at + 1 < items.length; at += 2) {
    const [key, value] = [items[at], items[at + 1]];
    if (key && value && value.value !== null) entries[String(key.value)] = value;
  }
  return entries;
}

const textOf = (typed: Typed | undefined) => (typeof typed?.value === "string" ? typed.value : undefined);
