/** The first span of an invocation: whose trace it goes on with, and what it is there. */
import { partsOf, type SpanStart } from "./telemetry.ts";

/** What an invocation of a function says of itself. */
export interface Invocation {
  traceContext?: { traceParent?: string | undefined } | undefined;
}

/**
 * The Functions host, where its telemetry is on, records a request or a message itself (`server` or `consumer`), as the
 * parent of what the app does: then the app's part is `internal`, or each request would be counted twice. The host
 * shows that it does so by a span of its own, that is sampled; without, its trace context is that of the caller
 * (`carried`) or one that it made up. A made-up one is no parent: its span is never sent, and that it is not sampled is
 * no choice of a caller's. Then the app's span begins a trace. Messages carry a trace of the app itself.
 */
export function entry(
  { traceContext }: Invocation,
  carried: unknown,
  kind: "server" | "consumer",
): Pick<SpanStart, "kind" | "parent" | "isParentOwn"> {
  const host = partsOf(traceContext?.traceParent);
  const caller = partsOf(carried);
  const isHostsOwn = host !== undefined && host.spanId !== caller?.spanId && host.flags % 2 === 1;
  if (isHostsOwn) return { kind: "internal", parent: traceContext?.traceParent };
  if (caller !== undefined) return { kind, parent: String(carried), isParentOwn: kind === "consumer" };
  return { kind };
}
