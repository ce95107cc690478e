import { type Counterparts, idsIn } from "./counterparts.ts";
import { listAt, textAt } from "./json.ts";
import { type Exchange, runOf } from "./recordings.ts";

/** Knows which requests of a recording cannot be replayed yet, and why; each hides those that build on its answer. */
export class NotServed {
  readonly #counterparts: Counterparts;
  readonly #reasons = new Map<string, string>();

  constructor(counterparts: Counterparts) {
    this.#counterparts = counterparts;
  }

  /** Undefined: it can be replayed. */
  reason(exchange: Exchange): string | undefined {
    const reason = hostedTool(exchange) ?? ownReason(exchange) ?? this.#inherited(exchange);
    if (reason === undefined) return undefined;
    for (const id of idsIn(JSON.stringify(exchange.answer))) {
      if (!this.#counterparts.has(id) && !this.#reasons.has(id)) this.#reasons.set(id, reason);
    }
    return reason;
  }

  #inherited(exchange: Exchange): string | undefined {
    const named = idsIn(requestText(exchange));
    // The last id in a path is the most telling: that of a run, after its thread's.
    return named.map((id) => this.#reasons.get(id)).findLast((reason) => reason !== undefined);
  }
}

/** A run with one needs what the app does not have yet; to keep the tool in an assistant is no trouble. */
function hostedTool({ answer }: Exchange): string | undefined {
  const tools = listAt(runOf(answer), "tools").map((tool) => textAt(tool, "type"));
  const hosted = tools.find((type) => type === "file_search" || type === "code_interpreter");
  return hosted === undefined ? undefined : `runs with ${hosted}`;
}

function ownReason(exchange: Exchange): string | undefined {
  const request = requestText(exchange);
  if (exchange.target.startsWith("/vector_stores") || request.includes('"vector_store')) return "vector stores";
  const namesFile = idsIn(request).some((id) => id.startsWith("file-"));
  return exchange.target.startsWith("/files") || namesFile ? "files" : undefined;
}

const requestText = ({ target, body }: Exchange) => `${target} ${JSON.stringify(body ?? null)}`;
