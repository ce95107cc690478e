import type { Account } from "./account.ts";
import type { Container } from "./container.ts";
import { badRequest, itemNotFound, unsupported } from "./errors.ts";
import { header } from "./headers.ts";
import type { Answer, CosmosRequest } from "./request.ts";
import { answer, definition, list, notAllowed } from "./resources.ts";
import type { Settings } from "./settings.ts";
import { isObject, type JsonObject } from "./sql/values.ts";
import type { Offer } from "./throughput.ts";

/**
 * What the headers of a new container ask for. Throws 400 for what is no throughput, or if the account is serverless.
 */
export function requestedOffer({ headers }: CosmosRequest, { capacity }: Settings): Offer | undefined {
  const manual = header(headers, "x-ms-offer-throughput");
  const autoscale = /"maxThroughput"\s*:\s*(\d+)/.exec(
    header(headers, "x-ms-cosmos-offer-autopilot-settings") ?? "",
  )?.[1];
  const text = manual ?? autoscale;
  if (text === undefined) return undefined;
  if (capacity === "serverless") {
    throw badRequest("Setting offer throughput or autopilot on container is not supported for serverless accounts.");
  }
  const throughput = Number(text);
  if (!Number.isInteger(throughput) || throughput <= 0)
    throw badRequest("The offer throughput must be a positive integer.");
  return { throughput, autoscale: manual === undefined };
}

/** /offers: the throughput of containers that have some. */
export function answerOffers(account: Account, request: CosmosRequest): Answer {
  const given = [...account.containers()].filter(({ offer }) => offer !== undefined);
  const [, id] = request.parts;
  if (id === undefined) {
    const offers = given.map((container) => offerJson(account, container));
    return list(request, "Offers", offers);
  }
  const container = given.find(({ rid }) => offerId(rid).toLowerCase() === id.toLowerCase());
  if (!container) throw itemNotFound();
  if (request.method === "PUT") account.setThroughput(container, throughputOf(definition(request)));
  else if (request.method !== "GET") throw notAllowed(request);
  return answer(200, offerJson(account, container));
}

function throughputOf({ content }: JsonObject): number {
  const autopilot = isObject(content) ? content.offerAutopilotSettings : undefined;
  const throughput = isObject(autopilot) ? autopilot.maxThroughput : isObject(content) && content.offerThroughput;
  if (typeof throughput !== "number") throw unsupported("an offer without offerThroughput");
  return throughput;
}

const offerId = (rid: string) => `o${rid}`;

/**
 * An autoscale container is billed for a tenth of its maximum at least, and that is what its offer calls throughput.
 */
const AUTOSCALE_LEAST = 10;

function offerJson(account: Account, container: Container): JsonObject {
  const { rid, offer } = container;
  const { throughput = 0, autoscale = false } = offer ?? {};
  return {
    id: offerId(rid),
    _rid: offerId(rid),
    _self: `offers/${offerId(rid)}/`,
    offerVersion: "V2",
    resource: `dbs/${account.database(container.database).rid}/colls/${rid}/`,
    offerResourceId: rid,
    content: autoscale
      ? { offerThroughput: throughput / AUTOSCALE_LEAST, offerAutopilotSettings: { maxThroughput: throughput } }
      : { offerThroughput: throughput },
  };
}
