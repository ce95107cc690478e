/** The answers to requests that a client sends to `$cbs` and `$management`. */
import { toServiceBusError } from "./errors.ts";
import type { Reply } from "./management.ts";
import { type RequestMessage, type RheaLink, type RheaSender, types } from "./rhea-internals.ts";

export class Replies {
  /** By link name and by target address: clients name either as the one to reply to. */
  readonly #links = new Map<string, RheaSender>();

  add(link: RheaSender): void {
    this.#links.set(link.name, link);
    if (link.target?.address) this.#links.set(link.target.address, link);
  }

  remove(link: RheaLink): void {
    for (const [name, known] of this.#links) if (known === link) this.#links.delete(name);
  }

  /** Returns the link on which the reply goes out; undefined if the client has closed it. */
  send(kind: "cbs" | "management", request: RequestMessage, reply: Reply): RheaSender | undefined {
    const link = this.#links.get(request.reply_to ?? "");
    const delivery = link?.send({
      correlation_id: request.message_id,
      application_properties: replyProperties(kind, reply),
      body: reply.body,
    });
    // Settled at once: the client's disposition would cost it a delayed TCP acknowledgement.
    if (delivery) delivery.settled = true;
    return link;
  }
}

/** The reply to a request that could not be done. */
export function refusal(thrown: unknown): Reply {
  const { status, message, condition } = toServiceBusError(thrown);
  return { status, description: message, condition };
}

/** $cbs and $management spell the same three properties differently. */
function replyProperties(kind: "cbs" | "management", reply: Reply): Record<string, unknown> {
  const [status, description, condition] =
    kind === "cbs"
      ? ["status-code", "status-description", "error-condition"]
      : ["statusCode", "statusDescription", "errorCondition"];
  const properties = { [status]: types.wrap_int(reply.status), [description]: reply.description };
  if (!reply.condition) return properties;
  return { ...properties, [condition]: types.wrap_symbol(reply.condition) };
}
