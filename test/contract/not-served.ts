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
    const reason = hostedTool(exchange) ?? this.#inherited(exchange);
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

/** What its code put out depends on files whose content no recording holds; to keep the tool in an assistant is no trouble. */
function hostedTool({ answer }: Exchange): string | undefined {
  const tools = listAt(runOf(answer), "tools").map((tool) => textAt(tool, "type"));
  return tools.includes("code_interpreter") ? "runs with code_interpreter" : undefined;
}

const requestText = ({ target, body }: Exchange) => `${target} ${JSON.stringify(body ?? null)}`;
