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

export const filesNotServed = () =>
  notServed(
    "This deployment does not serve files and vector stores yet. Assistants, threads, messages and runs work without " +
      "them; docs/compatibility.md tells what does not.",
  );

export const onlyAssistants = () =>
  notServed(
    "Threadkeep serves the Assistants API only (assistants, threads, messages, runs). Ask the model's own endpoint " +
      "for this.",
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
  gateway(503, `Access tokens cannot be checked at the moment. Try again in ${retryAfter} seconds.`, {
    "retry-after": String(retryAfter),
    "retry-after-ms": String(retryAfter * 1000),
  });

/** 429 of our own: the store or this instance is over its limit. `retryAfter` in seconds. */
export const overloaded = (retryAfter: number) =>
  gateway(429, `Rate limit is exceeded. Try again in ${retryAfter} seconds.`, {
    "retry-after": String(retryAfter),
    "retry-after-ms": String(retryAfter * 1000),
  });

/**
 * 503 of our own: while instances are updated, one of the older build got a request that changes what only the newer one
 * understands. Clients' libraries ask again, and so reach another instance. `retryAfter` in seconds.
 */
export const updating = (retryAfter: number) =>
  gateway(503, `The service is being updated. Try again in ${retryAfter} seconds.`, {
    "retry-after": String(retryAfter),
    "retry-after-ms": String(retryAfter * 1000),
  });

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

// ---------------------------------------------------------------- what needs files

const NO_FILES = "This deployment does not serve files yet (docs/compatibility.md).";

/** An image by its file, which cannot exist here: the model would never see it. */
export const imageFileNotServed = (param: string) =>
  invalidParameter(
    `Invalid '${param}'. ${NO_FILES} Send the image as image_url, with an https: or a data: URL.`,
    param,
    "not_served",
  );

export const hostedToolNotServed = (tool: string) =>
  invalidParameter(
    `Invalid 'tool_choice': the run would have to use ${tool}, which this deployment does not serve yet ` +
      "(docs/compatibility.md). Without tool_choice it runs with the functions of its tools only.",
    "tool_choice",
    "not_served",
  );

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
