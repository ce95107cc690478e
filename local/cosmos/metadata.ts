import type { Account, Database } from "./account.ts";
import type { Container } from "./container.ts";
import { unsupported } from "./errors.ts";
import { checkedName } from "./limits.ts";
import { requestedOffer } from "./offers.ts";
import type { Answer, CosmosRequest } from "./request.ts";
import { answer, definition, deleted, isList, list, notAllowed } from "./resources.ts";
import type { JsonObject } from "./sql/values.ts";

/** /dbs and /dbs/{database} */
export function answerDatabases(account: Account, request: CosmosRequest): Answer {
  const [, id] = request.parts;
  if (id === undefined) {
    if (isList(request)) return list(request, "Databases", [...account.databases.values()].map(databaseJson));
    if (request.method !== "POST") throw notAllowed(request);
    if (requestedOffer(request, account.settings) !== undefined)
      throw unsupported("throughput shared by the containers of a database");
    const name = checkedName(definition(request).id, "database");
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
    const container = account.createContainer(
      databaseId,
      definition(request),
      requestedOffer(request, account.settings),
    );
    return answer(201, json(container));
  }
  const container = account.container(databaseId, id);
  switch (request.method) {
    case "GET":
      return answer(200, json(container));
    case "PUT":
      account.redefine(container, definition(request));
      return answer(200, json(container));
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
