/** The named schemas of the OpenAPI document, made from the zod schemas of the resources and operations. */
import { z } from "zod";
import { assistantObject } from "../resources/assistant.ts";
import {
  responseFormat,
  responseFormatObject,
  tool,
  toolObject,
  toolResources,
  toolResourcesObject,
  usageObject,
} from "../resources/common.ts";
import { gatewayError, serviceError } from "../resources/errors.ts";
import { fileObject } from "../resources/file.ts";
import { fileBatchObject } from "../resources/file-batch.ts";
import {
  annotationObject,
  attachment,
  attachmentObject,
  contentPart,
  messageContentObject,
  messageObject,
} from "../resources/message.ts";
import { requiredActionObject, runObject, toolChoice } from "../resources/run.ts";
import { runStepObject, toolCallObject } from "../resources/step.ts";
import { searchFilter, searchResultsObject } from "../resources/store-search.ts";
import { messageDeltaObject, runStepDeltaObject, streamEventObject } from "../resources/stream.ts";
import { threadObject } from "../resources/thread.ts";
import { newToolResources } from "../resources/tool-resources.ts";
import { uploadObject, uploadPartObject } from "../resources/upload.ts";
import { vectorStoreObject } from "../resources/vector-store.ts";
import {
  attributes,
  chunkingStrategy,
  fileContentObject,
  vectorStoreFileObject,
} from "../resources/vector-store-file.ts";
import type { Operation } from "./operation.ts";

export type JsonSchema = Record<string, unknown>;

/** Shapes that requests share, beside the requests themselves, which are named after their operations. */
const REQUEST_PARTS: Record<string, z.ZodType> = {
  ToolRequest: tool,
  ToolChoiceRequest: toolChoice,
  ToolResourcesRequest: toolResources,
  ResponseFormatRequest: responseFormat,
  MessageContentRequest: contentPart,
  AttachmentRequest: attachment,
  NewToolResourcesRequest: newToolResources,
  ChunkingStrategyRequest: chunkingStrategy,
  AttributesRequest: attributes,
  SearchFilter: searchFilter,
};

const ANSWER_PARTS: Record<string, z.ZodType> = {
  Assistant: assistantObject,
  Thread: threadObject,
  Message: messageObject,
  MessageContent: messageContentObject,
  Annotation: annotationObject,
  Attachment: attachmentObject,
  Run: runObject,
  RequiredAction: requiredActionObject,
  RunStep: runStepObject,
  ToolCall: toolCallObject,
  Tool: toolObject,
  ToolChoice: toolChoice,
  ToolResources: toolResourcesObject,
  ResponseFormat: responseFormatObject,
  Usage: usageObject,
  StreamEvent: streamEventObject,
  MessageDelta: messageDeltaObject,
  RunStepDelta: runStepDeltaObject,
  File: fileObject,
  Upload: uploadObject,
  UploadPart: uploadPartObject,
  VectorStore: vectorStoreObject,
  VectorStoreFile: vectorStoreFileObject,
  FileBatch: fileBatchObject,
  FileContent: fileContentObject,
  SearchResults: searchResultsObject,
  ServiceError: serviceError,
  GatewayError: gatewayError,
};

export class ComponentSchemas {
  readonly #requests = named(REQUEST_PARTS);
  readonly #answers = named(ANSWER_PARTS);

  constructor(operations: Operation[]) {
    for (const { name, body, form, response } of operations) {
      const title = name.charAt(0).toUpperCase() + name.slice(1);
      if (body !== undefined && !this.#requests.has(body)) this.#requests.add(body, { id: `${title}Request` });
      if (form !== undefined) this.#requests.add(form, { id: `${title}Form` });
      if (response !== undefined && !this.#answers.has(response))
        this.#answers.add(response, { id: `${title}Response` });
    }
  }

  /** What a request may hold: defaults may be left out. */
  request = (schema: z.ZodType): JsonSchema => reference(this.#requests, schema);

  /** What an answer holds. */
  answer = (schema: z.ZodType): JsonSchema => reference(this.#answers, schema);

  /** All of them by name. */
  get all(): Record<string, JsonSchema> {
    const requests = converted(this.#requests, "input");
    const answers = converted(this.#answers, "output");
    const twice = Object.keys(requests).find((name) => name in answers);
    if (twice !== undefined) throw new Error(`both a request and an answer are called ${twice}`);
    return { ...answers, ...requests };
  }
}

/** Each query parameter with its schema; a list's name ends in brackets. */
export function queryParameters(query: z.ZodType): [name: string, schema: JsonSchema][] {
  const { properties = {} } = z.toJSONSchema(query, { io: "input", override: tidied });
  return Object.entries(properties).map(([name, schema]) => {
    const fields = typeof schema === "object" ? { ...schema } : {};
    return ["type" in fields && fields.type === "array" ? `${name}[]` : name, fields];
  });
}

/** A schema that is small enough to stand where it is used. */
export function inline(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", override: tidied });
  return rest;
}

type Names = z.core.$ZodRegistry<{ id: string }>;

function named(parts: Record<string, z.ZodType>): Names {
  const names: Names = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(parts)) names.add(schema, { id });
  return names;
}

const pointerTo = (id: string) => `#/components/schemas/${id}`;

function reference(names: Names, schema: z.ZodType): JsonSchema {
  const id = names.get(schema)?.id;
  if (id === undefined) throw new Error("a schema of an operation has no name");
  return { $ref: pointerTo(id) };
}

function converted(names: Names, io: "input" | "output"): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(names, { io, uri: pointerTo, override: io === "output" ? openEnded : tidied });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _dialect, $id: _id, ...schema }]) => [id, schema]),
  );
}

interface Converted {
  jsonSchema: z.core.JSONSchema.BaseSchema;
}

/** zod bounds every integer by what a number can hold exactly: no rule of the API. */
function tidied({ jsonSchema }: Converted): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

/** An answer may get more fields in a later release: a client must not refuse it for that. */
function openEnded(converted: Converted): void {
  tidied(converted);
  const { jsonSchema } = converted;
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
}
