/**
 * Every error that a client can see, word for word as the original said it: clients match on these texts and pull ids
 * out of them (docs/contract.md 5). Nothing else in the app writes an error text for a client.
 */
import { z } from "zod";

export const serviceError = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** The form of Azure's gateway: no type, no param. */
export const gatewayError = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) });

export type ErrorBody = z.output<typeof serviceError> | z.output<typeof gatewayError>;

/** An answer that is not the wanted one. `headers` go out with it. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Record<string, string>;

  constructor(status: number, body: ErrorBody, headers: Record<string, string> = {}) {
    super(body.error.message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

function invalidRequest(status: number, message: string, param: string | null = null, code: string | null = null) {
  return new ApiError(status, { error: { message, type: "invalid_request_error", param, code } });
}

function gateway(status: number, message: string, headers: Record<string, string> = {}) {
  return new ApiError(status, { error: { code: String(status), message } }, headers);
}

/** Tells clients when to ask again. Seconds. */
const waiting = (retryAfter: number) => ({
  "retry-after": String(retryAfter),
  "retry-after-ms": String(retryAfter * 1000),
});

/** Longest value of a request that its refusal repeats: as long as an id may be. Characters. */
const LONGEST_SHOWN = 128;

/** What a client sent, as an error text repeats it. */
export function shown(value: string): string {
  return value.length <= LONGEST_SHOWN ? value : `${value.slice(0, LONGEST_SHOWN).toWellFormed()}…`;
}

/** A 400 of the request validator; `param` is the path of the parameter, `code` the validator's own. */
export function invalidParameter(message: string, param: string | null, code: string): ApiError {
  return invalidRequest(400, message, param, code);
}

// ---------------------------------------------------------------- gateway

export const routeNotFound = () => gateway(404, "Resource not found");

/**
 * 404 of our own, where the original had something that Threadkeep does not have (yet). Not 501: clients' libraries ask
 * again after a 5xx.
 */
const notServed = (message: string) => invalidRequest(404, message, null, "not_served");

/** The operator has not said where the bytes of files are. */
export const filesNotServed = () =>
  notServed(
    "This deployment serves no files: it has no Blob Storage (BLOBS_ENDPOINT, docs/operations.md). Assistants, " +
      "threads, messages and runs work without them.",
  );

export const onlyAssistants = () =>
  notServed(
    "Threadkeep serves the Assistants API only (assistants, threads, messages, runs, files, uploads, vector stores). " +
      "Ask the model's own endpoint for this.",
  );

export const noBaseInPath = () =>
  notServed(
    "There is nothing at this path. A client's base URL ends in /v1 (OpenAI), or is this host without a path (Azure " +
      "OpenAI).",
  );

export const accessDenied = () =>
  gateway(
    401,
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an " +
      "active subscription and use a correct regional API endpoint for your resource.",
  );

export const incorrectApiKey = (shown: string) =>
  invalidRequest(401, `Incorrect API key provided: ${shown}.`, null, "invalid_api_key");

export const noApiKey = () =>
  invalidRequest(
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
      "(i.e. Authorization: Bearer YOUR_KEY).",
  );

/** A token of Entra ID that is not valid here, in the words of Azure; `audience` is one that would be. */
export function invalidToken(audience: string, isAzure: boolean): ApiError {
  const wrong = `missing, invalid, audience is incorrect (${audience}), or have expired`;
  const message = `Unauthorized. Access token is ${wrong}.`;
  return isAzure ? gateway(401, message) : invalidRequest(401, message, null, "invalid_api_key");
}

/** A valid token of a caller that belongs to no tenant, in the words of Azure. */
export function unknownCaller(isAzure: boolean): ApiError {
  const message = "Principal does not have access to API/Operation.";
  return isAzure
    ? new ApiError(401, { error: { code: "PermissionDenied", message } })
    : invalidRequest(401, message, null, "invalid_api_key");
}

/** 503 of our own: the keys that tokens are checked with cannot be had. `retryAfter` in seconds. */
export const tokensUncheckable = (retryAfter: number) =>
  gateway(
    503,
    `Access tokens cannot be checked at the moment. Try again in ${retryAfter} seconds.`,
    waiting(retryAfter),
  );

/** 429 of our own: the store or this instance is over its limit. `retryAfter` in seconds. */
export const overloaded = (retryAfter: number) =>
  gateway(429, `Rate limit is exceeded. Try again in ${retryAfter} seconds.`, waiting(retryAfter));

/**
 * 503 of our own: while instances are updated, one of the older build got a request that changes what only the newer
 * one understands. Clients' libraries ask again, and so reach another instance. `retryAfter` in seconds.
 */
export const updating = (retryAfter: number) =>
  gateway(503, `The service is being updated. Try again in ${retryAfter} seconds.`, waiting(retryAfter));

/** 503 of our own: Blob Storage did not read or write a file, and may do so later. `retryAfter` in seconds. */
export const filesUnavailable = (retryAfter: number) =>
  gateway(
    503,
    `Files cannot be read or written at the moment. Try again in ${retryAfter} seconds.`,
    waiting(retryAfter),
  );

// ---------------------------------------------------------------- requests

export const unparsableBody = () =>
  invalidRequest(
    400,
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library " +
      "correctly. The API expects a JSON payload, but what was sent was not valid JSON.)",
  );

export const reservedHeader = (name: string) =>
  invalidRequest(400, `The header '${name}' is reserved for the service. Send the request without it.`);
/** 415 of our own: a compressed body; the original's answer to one is not known. */
export const unsupportedEncoding = (encoding: string) =>
  invalidRequest(
    415,
    `The request body is compressed (content-encoding: ${shown(encoding)}). Send it as it is, without that header.`,
    null,
    "unsupported_content_encoding",
  );

export const unsupportedCharset = (charset: string) =>
  invalidRequest(
    415,
    `The request body is written in ${shown(charset)}. Send it as UTF-8.`,
    null,
    "unsupported_charset",
  );

export const tooDeep = (maximum: number) =>
  invalidRequest(400, `The request body is nested too deeply. Expected at most ${maximum} levels.`, null, "too_deep");

export const tooManyValues = (maximum: number) =>
  invalidRequest(400, `The request body holds too many values. Expected at most ${maximum}.`, null, "too_many_values");

export const bodyTooLarge = (limit: number) =>
  invalidRequest(413, `The request body is too large. Expected at most ${limit} bytes.`, null, "request_too_large");

/** An object that is too large to be stored. Sizes in bytes of JSON. */
export const tooLarge = (param: string | null, bytes: number, maximum: number) =>
  invalidRequest(
    400,
    `Invalid '${param ?? "body"}': too large. Expected at most ${maximum} bytes, but got ${bytes} bytes instead.`,
    param,
    "above_max_size",
  );

export const cursorNotFound = (name: "after" | "before", id: string) =>
  invalidParameter(`Invalid '${name}': no object found with id '${shown(id)}'.`, name, "invalid_value");

export const serverError = (requestId: string) =>
  new ApiError(500, {
    error: {
      message:
        "The server had an error processing your request. Sorry about that! You can retry your request. " +
        `(Please include the request ID ${requestId} if you report this.)`,
      type: "server_error",
      param: null,
      code: null,
    },
  });

// ---------------------------------------------------------------- objects

export const noAssistantFound = (id: string) => invalidRequest(404, `No assistant found with id '${id}'.`);
export const noThreadFound = (id: string) => invalidRequest(404, `No thread found with id '${id}'.`);
export const noMessageFound = (id: string) => invalidRequest(404, `No message found with id '${id}'.`);
export const noRunFound = (id: string) => invalidRequest(404, `No run found with id '${id}'.`);
export const noRunStepFound = (id: string) => invalidRequest(404, `No run step found with id '${id}'.`);

// ---------------------------------------------------------------- files

export const noSuchFile = (id: string) => invalidRequest(404, `No such File object: ${shown(id)}`, "id");

/** Of the ids in one refusal. */
const MOST_FILES_NAMED = 20;

/** Of ids in a request's body; no full stop: clients match on it. */
export const filesNotFound = (ids: string[]) => {
  const rest = ids.length - MOST_FILES_NAMED;
  const named = [...ids.slice(0, MOST_FILES_NAMED).map(shown), ...(rest > 0 ? [`and ${rest} more`] : [])];
  return invalidRequest(404, `Files [${named.join(", ")}] were not found`);
};

export const badPurpose = (purpose: string, allowed: readonly string[]) =>
  invalidRequest(400, `'${shown(purpose)}' is not one of ${pythonList([...allowed])} - 'purpose'`, "purpose");

export const extensionNotAllowed = (extension: string, allowed: string[]) =>
  invalidRequest(
    400,
    `Invalid extension ${shown(extension)}. Supported formats: ${allowed.map((each) => `"${each}"`).join(", ")}`,
  );

export const fileTooLarge = () => invalidRequest(400, "File is too large.");
export const fileIsEmpty = () => invalidRequest(400, "File is empty.");

export const missingField = (name: string) =>
  invalidParameter(`Missing required parameter: '${name}'.`, name, "missing_required_parameter");

/** Ours: a part with the field's name that says no name of a file. */
export const noFilename = (field: string) =>
  invalidParameter(`Invalid '${field}': the file has no name. Send the part with a filename.`, field, "invalid_value");

export const filenameTooLong = (field: string, maximum: number) =>
  invalidParameter(
    `Invalid '${field}': the file's name is too long. Expected at most ${maximum} characters.`,
    field,
    "string_above_max_length",
  );

export const notMultipart = () =>
  invalidRequest(400, "The request body is no form. Send it as multipart/form-data with a boundary.");

export const brokenForm = () =>
  invalidRequest(400, "The request body is no complete form: it ends early, or a part of it is malformed.");

export const formTooLarge = (what: string) =>
  invalidRequest(400, `The form is too large: ${what}.`, null, "form_too_large");

/** Clients' libraries send a request again after a 408. */
export const uploadStalled = (seconds: number) =>
  invalidRequest(408, `The upload stopped: nothing arrived for ${seconds} seconds.`, null, "upload_stalled");

export const noUploadFound = (id: string) => invalidRequest(404, `No upload found with id '${shown(id)}'.`);

export const uploadIsOver = (id: string, status: string) =>
  invalidRequest(400, `Upload ${id} has status '${status}' and cannot be modified.`);

export const uploadIsCompleting = (id: string) =>
  invalidRequest(400, `Upload ${id} is being completed with other parts.`, "part_ids");

export const wrongPart = (id: string) =>
  invalidRequest(400, `Invalid 'part_ids': no part found with id '${shown(id)}'.`, "part_ids");

export const uploadSizeDiffers = (bytes: number, announced: number) =>
  invalidRequest(400, `Upload has ${bytes} bytes in its parts, but ${announced} were announced.`, "bytes");

export const md5Differs = () => invalidRequest(400, "The md5 checksum of the uploaded parts does not match.", "md5");

export const partTooLarge = () => invalidRequest(400, "Part is too large.");

export const uploadHasTooManyParts = (maximum: number) =>
  invalidRequest(400, `The upload has too many parts. Expected at most ${maximum}.`);

// ---------------------------------------------------------------- vector stores

export const noVectorStoreFound = (id: string) => invalidRequest(404, `No vector store found with id '${shown(id)}'.`);

export const noVectorStoreFileFound = (fileId: string, storeId: string) =>
  invalidRequest(404, `No file found with id '${shown(fileId)}' in vector store '${storeId}'.`);

export const noFileBatchFound = (id: string) =>
  invalidRequest(404, `No vector store file batch found with id '${shown(id)}'.`);

/** Clients match on it. */
export const vectorStoreExpired = (id: string) => invalidRequest(400, `Vector store '${id}' has expired.`);

export const vectorStoreFull = (id: string, maximum: number) =>
  invalidRequest(400, `Vector store ${id} can't hold more than ${maximum} files.`);

/** `param` is where the request names the files. */
export const notForStores = (purpose: string, param: string) =>
  invalidParameter(`Invalid '${param}': purpose '${purpose}' can't be used in a vector store.`, param, "invalid_value");

/** The operator has named no model that a search could use. */
export const embeddingsNotServed = () =>
  notServed("This deployment searches no files: it has no embedding model (EMBEDDING_MODEL, docs/operations.md).");

/** 503 of our own: the embedding model did not do it. `retryAfter` in seconds; undefined: it will not later either. */
export const embeddingsFailed = (retryAfter: number | undefined) =>
  gateway(
    503,
    retryAfter === undefined
      ? "The embedding model refuses this search, and would refuse it again: see the log of the deployment."
      : "The embedding model does not answer.",
    retryAfter === undefined ? { "x-should-retry": "false" } : waiting(retryAfter),
  );

/** A file that code is to use: where the request names it, unlike an attachment's, it is a wrong parameter. */
export const noSuchCodeFile = (id: string) =>
  invalidRequest(400, noSuchFile(id).message, "tool_resources.code_interpreter.file_ids");

/** Files of these purposes hold no data. */
export const notForCode = (purpose: string, param: string) =>
  invalidRequest(400, `Invalid file purpose for the code interpreter: '${shown(purpose)}'.`, param);

/** Files that messages bring along for the code interpreter. */
export const tooManyCodeFiles = (maximum: number, count: number) =>
  invalidParameter(
    `Invalid 'attachments': array too long. Expected an array with maximum length ${maximum}, but got an array with ` +
      `length ${count} instead.`,
    "attachments",
    "array_above_max_length",
  );

/** Two parameters of which a request may have one. */
export const onlyOneOf = (parent: string, one: string, other: string) =>
  invalidParameter(`Invalid '${parent}': only one of '${one}' and '${other}' may be given.`, parent, "invalid_value");

// ---------------------------------------------------------------- what needs files

/** An image by its file, where the operator has not said where files are. */
export const imageFileNotServed = () =>
  invalidRequest(
    400,
    "Invalid message content: this deployment serves no files (BLOBS_ENDPOINT, docs/operations.md). Send the image " +
      "as image_url, with an https: or a data: URL.",
    null,
    "not_served",
  );

export const notAnImage = (extension: string, allowed: string[]) =>
  invalidRequest(
    400,
    "Invalid message content: Expected file type to be a supported format: " +
      `${allowed.map((each) => `.${each}`).join(", ")} but got .${shown(extension)}.`,
  );

export const imageTooLarge = (id: string, bytes: number, maximum: number) =>
  invalidRequest(400, `Invalid message content: image ${id} has ${bytes} bytes. Expected at most ${maximum}.`);

export const tooManyImages = (maximum: number) =>
  invalidRequest(400, `Invalid message content: too many different image files. Expected at most ${maximum}.`);

// ---------------------------------------------------------------- life of a run

export const threadHasActiveRun = (threadId: string, runId: string) =>
  invalidRequest(400, `Thread ${threadId} already has an active run ${runId}.`);

export const messagesLockedByRun = (threadId: string, runId: string) =>
  invalidRequest(400, `Can't add messages to ${threadId} while a run ${runId} is active.`);

/** Ours: the original says nothing of a message that a run is writing at the moment. */
export const messageInProgress = (messageId: string, runId: string | null) =>
  invalidRequest(400, `Can't delete message ${messageId} while run ${runId} is writing it.`);

export const nothingToRun = () =>
  invalidRequest(
    400,
    "Run creation requires a Thread with a user message or an assistant with instructions.",
    null,
    "invalid_thread",
  );

export const runTakesNoOutputs = (status: string) =>
  invalidRequest(400, `Runs in status "${status}" do not accept tool outputs.`);

export const cannotCancelRun = (status: string) => invalidRequest(400, `Cannot cancel run with status '${status}'.`);

export const cannotUpdateRun = (status: string) => invalidRequest(400, `Cannot update run with status '${status}'.`);

/** Both lists in the notation of Python, and no full stop: clients match on it. */
export const expectedToolOutputs = (expected: string[], got: string[]) =>
  invalidRequest(400, `Expected tool outputs for call_ids ${pythonList(expected)}, got ${pythonList(got)}`);

const pythonList = (ids: string[]) => `[${ids.map((id) => `'${shown(id)}'`).join(", ")}]`;

/** For the request validator. */
export const TOOL_OUTPUTS_TOO_LARGE = "'tool_outputs' too large: the combined tool outputs must be less than 512kb.";

// ---------------------------------------------------------------- files that are searched

export const unsupportedExtensions = (extensions: string[], param: string) =>
  invalidRequest(
    400,
    `Files with extensions [${extensions.join(", ")}] are not supported for retrieval. See ` +
      "https://platform.openai.com/docs/assistants/tools/file-search/supported-files",
    param,
    "unsupported_file",
  );
