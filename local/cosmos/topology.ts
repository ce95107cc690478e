import type { Container } from "./container.ts";
import type { Answer, CosmosRequest } from "./request.ts";
import { answer, list, notAllowed } from "./resources.ts";
import type { Consistency } from "./settings.ts";
import type { JsonObject } from "./sql/values.ts";

/** What the account document says beside the address. */
export interface AccountIdentity {
  /** The SDK ignores the locations of an account that is called `localhost`, and asks for them before every request. */
  account: string;
  region: string;
  protocol: "http" | "https";
}

/** The account document, which tells the SDK where to send everything: to the address that this request came to. */
export function answerAccount(
  { headers }: CosmosRequest,
  { account, region, protocol }: AccountIdentity,
  consistency: Consistency,
): Answer {
  const endpoint = `${protocol}://${headers.host ?? "127.0.0.1"}/`;
  const location = { name: region, databaseAccountEndpoint: endpoint };
  return answer(200, {
    id: account,
    _rid: account,
    _self: "",
    media: "//media/",
    addresses: "//addresses/",
    _dbs: "//dbs/",
    writableLocations: [location],
    readableLocations: [location],
    enableMultipleWriteLocations: false,
    userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 3, maxReplicasetSize: 4 },
    userConsistencyPolicy: { defaultConsistencyLevel: consistency },
    systemReplicationPolicy: { minReplicaSetSize: 3, maxReplicasetSize: 4 },
    readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    queryEngineConfiguration: "{}",
  });
}

/** …/pkranges: the physical partitions of a container. */
export function answerPartitionRanges(request: CosmosRequest, container: Container): Answer {
  if (request.method !== "GET") throw notAllowed(request);
  const ranges = container.ranges.all().map(({ id, min, max, parents }, i): JsonObject => {
    return {
      _rid: container.rid,
      id,
      _etag: container.etag,
      minInclusive: min,
      maxExclusive: max,
      ridPrefix: i,
      throughputFraction: 1 / container.ranges.size,
      status: "online",
      parents,
      _self: `${container.rid}/pkranges/${id}/`,
      _ts: container.timestamp,
    };
  });
  return list(request, "PartitionKeyRanges", ranges);
}
