import { metadataCharge } from "./charge.ts";
import { badRequest } from "./errors.ts";
import { queryObjects } from "./prepared-query.ts";
import { querySpec } from "./queries.ts";
import { type Answer, type CosmosRequest, isQuery, jsonBody } from "./request.ts";
import { isObject, type Json, type JsonObject } from "./sql/values.ts";

export const answer = (status: number, body: JsonObject): Answer => ({
  status,
  charge: metadataCharge,
  body: JSON.stringify(body),
  ...(typeof body._etag === "string" && { headers: { etag: body._etag } }),
});

export const deleted: Answer = { status: 204, charge: metadataCharge };

export const notAllowed = ({ method, path }: CosmosRequest) => badRequest(`${method} is not allowed on ${path}.`);

/** A list, or the part of it that a query in the body selects. */
export function list(request: CosmosRequest, name: string, objects: JsonObject[]): Answer {
  let found: Json[] = objects;
  if (request.method === "POST") {
    const { text, parameters } = querySpec(request);
    found = queryObjects(objects, text, parameters);
  }
  const listed = answer(200, { _rid: "", [name]: found, _count: found.length });
  return { ...listed, headers: { "x-ms-item-count": String(found.length) } };
}

export const isList = ({ method, headers }: CosmosRequest) =>
  method === "GET" || (method === "POST" && isQuery(headers));

export function definition(request: CosmosRequest): JsonObject {
  const body = jsonBody(request);
  if (!isObject(body)) throw badRequest("The request needs a JSON object.");
  return body;
}
