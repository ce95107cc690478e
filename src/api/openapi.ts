/** The OpenAPI document of the API, made from the list of operations: GET /openapi.json. */
import type { HttpResponseInit } from "@azure/functions";
import { idOf } from "../resources/common.ts";
import { gatewayError, serviceError } from "../resources/errors.ts";
import { streamEventObject } from "../resources/stream.ts";
import { BASES, isServed } from "./bases.ts";

import { ComponentSchemas, inline, type JsonSchema, queryParameters } from "./openapi-schemas.ts";
import { type Operation, PATH_IDS } from "./operation.ts";
import { operations } from "./operations/index.ts";

type Json = Record<string, unknown>;

export interface OpenApiDocument {
  openapi: "3.1.0";
  info: Json;
  servers: Json[];
  security: Json[];
  tags: { name: string }[];
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, JsonSchema>; parameters: Json; responses: Json; securitySchemes: Json };
}

let text: string | undefined;

/** GET /openapi.json: made at the first request. Needs no key: it tells nothing about any tenant's data. */
export async function openApi(): Promise<HttpResponseInit> {
  text ??= JSON.stringify(openApiDocument(operations));
  return { status: 200, headers: { "content-type": "application/json" }, body: text };
}

export function openApiDocument(operations: Operation[]): OpenApiDocument {
  const schemas = new ComponentSchemas(operations);
  const paths: OpenApiDocument["paths"] = {};
  for (const operation of operations) {
    const path = `/${operation.path}`;
    paths[path] ??= { parameters: [API_VERSION_REFERENCE, ...pathParameters(operation.path)] };
    paths[path][operation.method.toLowerCase()] = describe(operation, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Threadkeep",
      version: "v2",
      description: "The Assistants API v2: assistants, threads, messages, runs, run steps and files.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: BASES.map(server),
    security: [{ bearer: [] }, { apiKey: [] }],
    tags: [...new Set(operations.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.all,
      parameters: { ApiVersion: API_VERSION },
      responses: errorResponses(schemas),
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "A key of the deployment, or a token of Microsoft Entra ID, under any base",
        },
        apiKey: {
          type: "apiKey",
          in: "header",
          name: "api-key",
          description: "A key of the deployment, under any base",
        },
      },
    },
  };
}

type Base = (typeof BASES)[number];

const FACES: Record<Base["face"], string> = {
  openai: "The form of OpenAI",
  azure: "The form of Azure: every request needs an api-version",
};

function server({ prefix, face }: Base): Json {
  const names = [...prefix.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const variables = Object.fromEntries(names.map((name) => [name, { default: "default" }]));
  return { url: `/${prefix}`, description: FACES[face], ...(names.length === 0 ? {} : { variables }) };
}

/** Every operation has it, but a document cannot say that only some servers want it. */
const API_VERSION = {
  name: "api-version",
  in: "query",
  description: "Required in the form of Azure, from 2024-02-15-preview on, or v1, preview, latest; else of no effect.",
  schema: { type: "string", examples: ["2024-08-01-preview", "v1"] },
};
const API_VERSION_REFERENCE = { $ref: "#/components/parameters/ApiVersion" };

function describe(operation: Operation, schemas: ComponentSchemas): Json {
  const { name, summary, query, body, form } = operation;
  const parameters = query === undefined ? [] : queryParameters(query).map(queryParameter);
  return {
    operationId: name,
    summary,
    tags: [tagOf(operation)],
    ...(operation.only === undefined ? {} : { servers: BASES.filter((base) => isServed(operation, base)).map(server) }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            // An absent body is read as an empty object.
            required: !body.safeParse({}).success,
            content: { "application/json": { schema: schemas.request(body) } },
          },
        }),
    ...(form && {
      requestBody: { required: true, content: { "multipart/form-data": { schema: schemas.request(form) } } },
    }),
    responses: {
      "200": success(operation, schemas),
      ...Object.fromEntries(
        ERRORS.filter(({ status }) => isPossible(status, operation)).map(({ status, name }) => [
          String(status),
          { $ref: `#/components/responses/${name}` },
        ]),
      ),
    },
  };
}

function success({ response, streams }: Operation, schemas: ComponentSchemas): Json {
  const content: Json = {};
  if (response !== undefined) content["application/json"] = { schema: schemas.answer(response) };
  if (response === undefined && !streams) content["application/octet-stream"] = {};
  if (streams) content["text/event-stream"] = { schema: schemas.answer(streamEventObject) };
  return { description: streams ? STREAMED : "Done", content };
}

const STREAMED =
  "The run; or its events while it goes on, one after the other, each as lines `event: NAME` and `data: JSON`";

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const kind = PATH_IDS[name];
    return { name, in: "path", required: true, schema: kind === undefined ? { type: "string" } : inline(idOf(kind)) };
  });
}

function queryParameter([name, { description, ...schema }]: [string, JsonSchema]): Json {
  return { name, in: "query", ...(description === undefined ? {} : { description }), schema };
}

const TAGS: Record<string, string> = {
  assistants: "Assistants",
  threads: "Threads",
  messages: "Messages",
  runs: "Runs",
  steps: "Run steps",
  files: "Files",
  uploads: "Uploads",
};

/** After the innermost collection that the path names. */
function tagOf({ path }: Operation): string {
  const collections = path.split("/").filter((part) => part in TAGS);
  return TAGS[collections.at(-1) ?? ""] ?? "Other";
}

/** Gateway errors come in Azure's own form; the others in that of the service, under every base. */
const ERRORS = [
  { status: 400, name: "BadRequest", description: "A wrong parameter, or one that the object's state does not allow" },
  { status: 401, name: "Unauthorized", description: "No key or token, or one that is not valid" },
  { status: 404, name: "NotFound", description: "No such object, or no such api-version" },
  { status: 408, name: "TooSlow", description: "The client stopped sending" },
  { status: 413, name: "TooLarge", description: "The body is too large" },
  { status: 429, name: "TooManyRequests", description: "Too much at once: see the header retry-after (seconds)" },
  { status: 500, name: "ServerError", description: "Not the caller's fault; the message has the id of the request" },
  {
    status: 503,
    name: "Unavailable",
    description: "An update is under way, or files or tokens cannot be read now: see the header retry-after (seconds)",
  },
];

/** Whether an operation may be answered so: some errors are those of bodies. */
function isPossible(status: number, { body, form }: Operation): boolean {
  if (status === 408) return form !== undefined;
  return status !== 413 || body !== undefined;
}

function errorResponses(schemas: ComponentSchemas): Json {
  const schema = { anyOf: [schemas.answer(serviceError), schemas.answer(gatewayError)] };
  return Object.fromEntries(
    ERRORS.map(({ name, description }) => [name, { description, content: { "application/json": { schema } } }]),
  );
}
