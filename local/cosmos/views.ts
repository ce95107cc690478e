import type { IncomingHttpHeaders } from "node:http";
import type { Container } from "./container.ts";
import { badRequest, type CosmosError, sessionNotAvailable } from "./errors.ts";
import { header } from "./headers.ts";
import type { Range } from "./ranges.ts";
import { CONSISTENCIES, type Consistency, isStrong, parseConsistency, type Settings } from "./settings.ts";

/** What a client sees of a physical partition: the up-to-date copy, or one that is behind. */
export interface View {
  container: Container;
  range: Range;
}

/** Whose progress the session token of a refusal tells. */
export const viewOfRefusal = new WeakMap<CosmosError, View>();

/** Strong and bounded-staleness reads ask two replicas instead of one. */
export const readFactor = (settings: Settings, headers: IncomingHttpHeaders): number =>
  isStrong(levelOf(settings, headers)) ? 2 : 1;

/** The copy that serves a read. Throws 400 for a level that the account does not have, 404/1002 as the settings say. */
export function viewFor(container: Container, settings: Settings, headers: IncomingHttpHeaders, range: Range): View {
  const level = levelOf(settings, headers);
  const wanted = level === "Session" ? lsnFor(range, header(headers, "x-ms-session-token")) : undefined;
  // A token from before a loss of data, or of another account: no copy can ever satisfy it.
  if (wanted !== undefined && wanted > container.progressOf(range)) throw sessionNotAvailable();
  if (!container.replica || isStrong(level)) return { container, range };
  const behind = container.replica.view();
  if (wanted === undefined || wanted <= behind.progressOf(range)) return { container: behind, range };
  if (settings.behindToken === "refuse") throw sessionNotAvailable();
  return { container, range };
}

/** A request may ask for less than the account gives, not for more. */
function levelOf({ consistency }: Settings, headers: IncomingHttpHeaders): Consistency {
  const asked = header(headers, "x-ms-consistency-level");
  if (asked === undefined || asked === consistency) return consistency;
  const level = parseConsistency(asked);
  if (CONSISTENCIES.indexOf(level) < CONSISTENCIES.indexOf(consistency)) {
    throw badRequest(
      `The requested consistency level '${level}' is invalid for the account, whose own is '${consistency}': ` +
        "it is stronger.",
    );
  }
  return level;
}

/** `0:-1#12,1:-1#9`: for each range the number of the latest write that the client has seen. A split hands it down. */
function lsnFor({ id, parents }: Range, token: string | undefined): number | undefined {
  if (token === undefined || token === "") return undefined;
  let lsn: number | undefined;
  for (const part of token.split(",")) {
    const [range = "", vector = ""] = part.split(":");
    const seen = Number(vector.split("#")[1]);
    if (!Number.isFinite(seen)) throw badRequest(`The session token '${token}' is invalid.`);
    if (range === id || parents.includes(range)) lsn = Math.max(lsn ?? 0, seen);
  }
  return lsn;
}
