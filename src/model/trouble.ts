/**
 * What went wrong at the model, in terms of what to do about it and what the client reads (docs/contract.md 3.1, 6.4).
 */
import { APIConnectionError, APIError } from "openai";
import { retryAfterIn } from "../resources/retry-after.ts";
import { type RunError, SERVER_ERROR } from "../resources/run.ts";
import { isFields } from "./pieces.ts";
import { ModelTimeout, NotAnAnswer } from "./types.ts";

export interface ModelTrouble {
  /** the run's last_error if this is the end */
  error: RunError;
  /** whether the same call may work later */
  retryable: boolean;
  /** milliseconds that the model asked us to wait, if it did */
  retryAfter: number | undefined;
}

export function modelTrouble(error: unknown, model: string): ModelTrouble {
  if (error instanceof NotAnAnswer) {
    return { error: { code: "server_error", message: error.message }, retryable: true, retryAfter: undefined };
  }
  if (error instanceof ModelTimeout || error instanceof APIConnectionError || !(error instanceof APIError)) {
    return { error: SERVER_ERROR, retryable: true, retryAfter: undefined };
  }
  const retryAfter = retryAfterIn(error.headers);
  switch (error.status) {
    case undefined: // an error event inside a stream
      return { error: SERVER_ERROR, retryable: true, retryAfter };
    case 429:
      return rateLimited(error, retryAfter);
    case 404:
    case 405:
      return final(hasNoChatCompletions(error) ? NO_CHAT_COMPLETIONS : noSuchModel(model));
    case 400:
    case 413:
    case 422:
      return final(refused(error));
    case 401:
    case 403:
      // The deployer's keys are no business of the client's: the log has the details.
      return final(SERVER_ERROR);
    default:
      return { error: SERVER_ERROR, retryable: true, retryAfter };
  }
}

const final = (error: RunError): ModelTrouble => ({ error, retryable: false, retryAfter: undefined });

const noSuchModel = (model: string): RunError => ({
  code: "invalid_engine_error",
  message: `Failed to resolve model info for: ${model}`,
});

const NO_CHAT_COMPLETIONS: RunError = {
  code: "server_error",
  message: "The model's endpoint serves no chat completions at its address.",
};

/** Codes with which servers say that they do not have a model. */
const NO_SUCH_MODEL = /model_?not_?found|deployment_?not_?found|unknown_?model|invalid_?model/i;

/**
 * Whether the endpoint's path is wrong, not the name of a model: it answers with a web page or a few words, or with an
 * error that tells of no model.
 */
export function hasNoChatCompletions(error: unknown): boolean {
  if (error instanceof NotAnAnswer) return true;
  if (!(error instanceof APIError)) return false;
  if (error.status === 405) return true;
  if (error.status !== 404) return false;
  const words = wordsOf(error);
  return !NO_SUCH_MODEL.test(`${error.code} ${error.type}`) && !/\b(model|deployment|engine)s?\b/i.test(words);
}

function rateLimited(error: APIError, retryAfter: number | undefined): ModelTrouble {
  if (error.code === "insufficient_quota") {
    return final({ code: "rate_limit_exceeded", message: plain(error) });
  }
  const wait = Math.max(1, Math.ceil((retryAfter ?? 60_000) / 1000));
  const message = `Rate limit is exceeded. Try again in ${wait} seconds.`;
  return { error: { code: "rate_limit_exceeded", message }, retryable: true, retryAfter };
}

/** A request that the model refuses will be refused again; its own words tell the user why. */
function refused(error: APIError): RunError {
  if (error.code === "content_filter") return { code: "content_filter", message: plain(error) };
  if (error.code === "invalid_image_url") return { code: "invalid_image_url", message: plain(error) };
  return { code: "invalid_prompt", message: plain(error) };
}

/** Of a server's words that clients read: some quote a whole prompt. Characters. */
const LONGEST_MESSAGE = 2_000;

const plain = (error: APIError) =>
  (wordsOf(error) || `The model's endpoint refused the request with status ${error.status}.`)
    .slice(0, LONGEST_MESSAGE)
    .toWellFormed();

/** The server's own words, without what the SDK puts around them. */
function wordsOf({ error, message }: APIError): string {
  const words: unknown = isFields(error) ? error.message : error;
  return typeof words === "string" ? words : message.replace(/^\d{3} /, "");
}
