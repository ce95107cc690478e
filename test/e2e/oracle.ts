/**
 * Checks every JSON answer against the contract's schemas. They are not part of this project: where they are absent,
 * only that each answer belongs to a known operation is checked.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { PROJECT } from "./build.ts";

export const ORACLE_FILE = path.join(path.dirname(PROJECT), "shared/contract/oracle.schemas.json");

export const oracleExists = () => existsSync(ORACLE_FILE);

/** The schema of a successful answer, by method and path below the base of the API. */
/** Younger than the oracle's source. */
const NEWER = "";

const SCHEMAS: [route: RegExp, schema: string][] = [
  [/^POST assistants$/, "AssistantObject"],
  [/^GET assistants$/, "ListAssistantsResponse"],
  [/^(GET|POST) assistants\/[^/]+$/, "AssistantObject"],
  [/^DELETE assistants\/[^/]+$/, "DeleteAssistantResponse"],
  [/^POST threads$/, "ThreadObject"],
  [/^POST threads\/runs$/, "RunObject"],
  [/^(GET|POST) threads\/[^/]+$/, "ThreadObject"],
  [/^DELETE threads\/[^/]+$/, "DeleteThreadResponse"],
  [/^POST threads\/[^/]+\/messages$/, "MessageObject"],
  [/^GET threads\/[^/]+\/messages$/, "ListMessagesResponse"],
  [/^(GET|POST) threads\/[^/]+\/messages\/[^/]+$/, "MessageObject"],
  [/^DELETE threads\/[^/]+\/messages\/[^/]+$/, "DeleteMessageResponse"],
  [/^POST threads\/[^/]+\/runs$/, "RunObject"],
  [/^GET threads\/[^/]+\/runs$/, "ListRunsResponse"],
  [/^(GET|POST) threads\/[^/]+\/runs\/[^/]+$/, "RunObject"],
  [/^POST threads\/[^/]+\/runs\/[^/]+\/(cancel|submit_tool_outputs)$/, "RunObject"],
  [/^GET threads\/[^/]+\/runs\/[^/]+\/steps$/, "ListRunStepsResponse"],
  [/^GET threads\/[^/]+\/runs\/[^/]+\/steps\/[^/]+$/, "RunStepObject"],
  [/^POST files$/, "OpenAIFile"],
  [/^GET files$/, "ListFilesResponse"],
  [/^GET files\/[^/]+$/, "OpenAIFile"],
  [/^DELETE files\/[^/]+$/, "DeleteFileResponse"],
  [/^POST vector_stores$/, "VectorStoreObject"],
  [/^GET vector_stores$/, "ListVectorStoresResponse"],
  [/^(GET|POST) vector_stores\/[^/]+$/, "VectorStoreObject"],
  [/^DELETE vector_stores\/[^/]+$/, "DeleteVectorStoreResponse"],
  [/^POST vector_stores\/[^/]+\/search$/, NEWER],
  [/^GET vector_stores\/[^/]+\/files$/, "ListVectorStoreFilesResponse"],
  [/^POST vector_stores\/[^/]+\/files$/, "VectorStoreFileObject"],
  [/^(GET|POST) vector_stores\/[^/]+\/files\/[^/]+$/, "VectorStoreFileObject"],
  [/^DELETE vector_stores\/[^/]+\/files\/[^/]+$/, "DeleteVectorStoreFileResponse"],
  [/^GET vector_stores\/[^/]+\/files\/[^/]+\/content$/, NEWER],
  [/^POST vector_stores\/[^/]+\/file_batches$/, "VectorStoreFileBatchObject"],
  [/^GET vector_stores\/[^/]+\/file_batches\/[^/]+$/, "VectorStoreFileBatchObject"],
  [/^POST vector_stores\/[^/]+\/file_batches\/[^/]+\/cancel$/, "VectorStoreFileBatchObject"],
  [/^GET vector_stores\/[^/]+\/file_batches\/[^/]+\/files$/, "ListVectorStoreFilesResponse"],
  [/^POST uploads$/, "Upload"],
  [/^POST uploads\/[^/]+\/(complete|cancel)$/, "Upload"],
  [/^POST uploads\/[^/]+\/parts$/, "UploadPart"],
];

/** What Azure's gateway answers: no type, no param (docs/contract.md 5). The oracle knows only the service's form. */
const GATEWAY_ERROR = {
  type: "object",
  required: ["error"],
  additionalProperties: false,
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      additionalProperties: false,
      properties: { code: { type: "string", pattern: "^[45]\\d\\d$" }, message: { type: "string" } },
    },
  },
};

/** What is wrong with this answer, or undefined. */
export function complaint(method: string, url: URL, status: number, body: unknown): string | undefined {
  const route = `${method} ${url.pathname.replace(/^\/(v1|openai)\//, "")}`;
  const schema = status >= 400 ? "ErrorResponse" : schemaOf(route);
  if (schema === undefined) return `no schema is known for ${route}`;
  if (schema === NEWER || (status >= 400 && gatewayError(body))) return undefined;
  const validate = validatorOf(schema);
  if (validate === undefined || validate(body)) return undefined;
  return `${route} (${status}) is no ${schema}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`;
}

const schemaOf = (route: string) => SCHEMAS.find(([pattern]) => pattern.test(route))?.[1];

/** Purposes that are on the wire, and not yet in the oracle's source. */
const NEWER_PURPOSES = ["user_data", "evals"];

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
const gatewayError = ajv.compile(GATEWAY_ERROR);
const oracle = oracleExists() ? readOracle() : undefined;
if (oracle !== undefined) ajv.addSchema(oracle);

interface Oracle {
  $id: string;
  $defs: {
    ResponseFormatJsonSchema: { properties: { json_schema: { required: string[] } } };
    OpenAIFile: { properties: { purpose: { enum: string[] } } };
    Upload: { required: string[] };
  };
}

/** It wants a `type` inside `json_schema`, an error of its source: clients send none and the original returned none. */
function readOracle(): Oracle {
  const schemas: Oracle = JSON.parse(readFileSync(ORACLE_FILE, "utf8"));
  schemas.$defs.ResponseFormatJsonSchema.properties.json_schema.required = ["name"];
  schemas.$defs.OpenAIFile.properties.purpose.enum.push(...NEWER_PURPOSES);
  // No answer in any recording has it.
  schemas.$defs.Upload.required = schemas.$defs.Upload.required.filter((name) => name !== "step_number");
  return schemas;
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(schema: string): ValidateFunction | undefined {
  if (oracle === undefined) return undefined;
  const validator = validators.get(schema) ?? ajv.compile({ $ref: `${oracle.$id}#/$defs/${schema}` });
  validators.set(schema, validator);
  return validator;
}
