import type { Account, Database } from "./account.ts";
import { metadataCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { querySpec } from "./documents.ts";
import { badRequest, itemNotFound, unsupported } from "./errors.ts";
import { header } from "./headers.ts";
import { queryObjects } from "./prepared-query.ts";
import { type Answer, type CosmosRequest, isQuery, jsonBody } from "./request.ts";
import { isObject, type Json, type JsonObject } from "./sql/values.ts";

const answer = (status: number, body: JsonObject, container?: Container): Answer => ({
  status,
  charge: metadataCharge,
  body: JSON.stringify(body),
  ...(typeof body._etag === "string" && { headers: { etag: body._etag } }),
  ...(container && { container }),
});

const deleted: Answer = { status: 204, charge: metadataCharge };

const notAllowed = ({ method, path }: CosmosRequest) => badRequest(`${method} is not allowed on ${path}.`);

/** A list, or the part of it that a query in the body selects. */
function list(request: CosmosRequest, name: string, objects: JsonObject[], container?: Container): Answer {
  let found: Json[] = objects;
  if (request.method === "POST") {
    const { text, parameters } = querySpec(request);
    found = queryObjects(objects, text, parameters);
  }
  const listed = answer(200, { _rid: "", [name]: found, _count: found.length }, container);
  return { ...listed, headers: { "x-ms-item-count": String(found.length) } };
}

const isList = ({ method, headers }: CosmosRequest) => method === "GET" || (method === "POST" && isQuery(headers));

function definition(request: CosmosRequest): JsonObject {
  const body = jsonBody(request);
  if (!isObject(body)) throw badRequest("The request needs a JSON object.");
  return body;
}

/** The account document, which tells the SDK where to send everything: to the address that it came to. */
export function answerAccount({ headers }: CosmosRequest): Answer {
  const location = { name: "Local", databaseAccountEndpoint: `http://${headers.host ?? "127.0.0.1"}/` };
  return answer(200, {
    id: "localhost",
    _rid: "localhost",
    _self: "",
    media: "//media/",
    addresses: "//addresses/",
    _dbs: "//dbs/",
    writableLocations: [location],
    readableLocations: [location],
    enableMultipleWriteLocations: false,
    userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 1, maxReplicasetSize: 4 },
    userConsistencyPolicy: { defaultConsistencyLevel: "Session" },
    systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 4 },
    readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    queryEngineConfiguration: "{}",
  });
}

/** /dbs and /dbs/{database} */
export function answerDatabases(account: Account, request: CosmosRequest): Answer {
  const [, id] = request.parts;
  if (id === undefined) {
    if (isList(request)) return list(request, "Databases", [...account.databases.values()].map(databaseJson));
    if (request.method !== "POST") throw notAllowed(request);
    if (requestedThroughput(request) !== undefined)
      throw unsupported("throughput shared by the containers of a database");
    const { id: name } = definition(request);
    if (typeof name !== "string" || name === "" || /[/\\?#]/.test(name))
      throw badRequest("The database needs a valid id.");
    return answer(201, databaseJson(account.createDatabase(name)));
  }
  if (request.method === "GET") return answer(200, databaseJson(account.database(id)));
  if (request.method !== "DELETE") throw notAllowed(request);
  account.drop(id);
  return deleted;
}

function databaseJson({ id, rid, etag, timestamp }: Database): JsonObject {
  return { id, _rid: rid, _self: `dbs/${rid}/`, _etag: etag, _colls: "colls/", _users: "users/", _ts: timestamp };
}

/** /dbs/{database}/colls and /dbs/{database}/colls/{container} */
export function answerContainers(account: Account, request: CosmosRequest): Answer {
  const [, databaseId = "", , id] = request.parts;
  const database = account.database(databaseId);
  const json = (container: Container) => containerJson(database, container);
  if (id === undefined) {
    if (isList(request)) return list(request, "DocumentCollections", [...database.containers.values()].map(json));
    if (request.method !== "POST") throw notAllowed(request);
    const container = account.createContainer(databaseId, definition(request), requestedThroughput(request));
    return answer(201, json(container), container);
  }
  const container = account.container(databaseId, id);
  switch (request.method) {
    case "GET":
      return answer(200, json(container), container);
    case "PUT":
      account.redefine(container, definition(request));
      return answer(200, json(container), container);
    case "DELETE":
      account.drop(databaseId, id);
      return deleted;
  }
  throw notAllowed(request);
}

function containerJson(database: Database, container: Container): JsonObject {
  const { rid, etag, timestamp } = container;
  return {
    ...container.definition,
    conflictResolutionPolicy: {
      mode: "LastWriterWins",
      conflictResolutionPath: "/_ts",
      conflictResolutionProcedure: "",
      ...(container.definition.conflictResolutionPolicy as JsonObject | undefined),
    },
    _rid: rid,
    _self: `dbs/${database.rid}/colls/${rid}/`,
    _etag: etag,
    _ts: timestamp,
    _docs: "docs/",
    _sprocs: "sprocs/",
    _triggers: "triggers/",
    _udfs: "udfs/",
    _conflicts: "conflicts/",
  };
}

/** Manual or the maximum of autoscale, in request units per second. */
function requestedThroughput({ headers }: CosmosRequest): number | undefined {
  const manual = header(headers, "x-ms-offer-throughput");
  const autoscale = header(headers, "x-ms-cosmos-offer-autopilot-settings");
  const text = manual ?? /"maxThroughput"\s*:\s*(\d+)/.exec(autoscale ?? "")?.[1];
  if (text === undefined) return undefined;
  const throughput = Number(text);
  if (!Number.isInteger(throughput) || throughput <= 0)
    throw badRequest("The offer throughput must be a positive integer.");
  return throughput;
}

/** There is one physical partition, with all keys. */
export function answerPartitionRanges(request: CosmosRequest, container: Container): Answer {
  const { rid, etag, timestamp } = container;
  const range = {
    _rid: rid,
    id: "0",
    _etag: etag,
    minInclusive: "",
    maxExclusive: "FF",
    ridPrefix: 0,
    throughputFraction: 1,
    status: "online",
    parents: [],
    _self: `${rid}/pkranges/0/`,
    _ts: timestamp,
  };
  if (request.method !== "GET") throw notAllowed(request);
  return list(request, "PartitionKeyRanges", [range], container);
}

/** /offers: the provisioned throughput of containers that have some. */
export function answerOffers(account: Account, request: CosmosRequest): Answer {
  const containers = [...account.databases.values()].flatMap((database) => [...database.containers.values()]);
  const offers = containers.filter(({ throughput }) => throughput.limit !== undefined);
  const [, id] = request.parts;
  if (id === undefined) {
    return list(
      request,
      "Offers",
      offers.map((one) => offerJson(account, one)),
    );
  }
  const container = offers.find(({ rid }) => offerId(rid).toLowerCase() === id.toLowerCase());
  if (!container) throw itemNotFound();
  if (request.method === "PUT") {
    const { content } = definition(request);
    const throughput = isObject(content) ? content.offerThroughput : undefined;
    if (typeof throughput !== "number") throw unsupported("an offer without offerThroughput");
    account.setThroughput(container, throughput);
  } else if (request.method !== "GET") throw notAllowed(request);
  return answer(200, offerJson(account, container));
}

const offerId = (rid: string) => `o${rid}`;

function offerJson(account: Account, container: Container): JsonObject {
  const { rid, throughput } = container;
  return {
    id: offerId(rid),
    _rid: offerId(rid),
    _self: `offers/${offerId(rid)}/`,
    offerVersion: "V2",
    resource: `dbs/${account.database(container.database).rid}/colls/${rid}/`,
    offerResourceId: rid,
    content: { offerThroughput: throughput.limit ?? 0 },
  };
}
