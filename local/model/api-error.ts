/** An error in the shape that OpenAI answers: `{ "error": { message, type, param, code } }`. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: { error: Record<string, unknown> };
  readonly headers: Record<string, string>;

  constructor(status: number, error: Record<string, unknown>, headers: Record<string, string> = {}) {
    super(String(error.message));
    this.status = status;
    this.body = { error };
    this.headers = headers;
  }
}

export function invalidRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, { message, type: "invalid_request_error", param, code: null });
}

export function unknownUrl(method: string, path: string): ApiError {
  const message = `Unknown request URL: ${method} ${path}. Please check the URL for typos.`;
  return new ApiError(404, { message, type: "invalid_request_error", param: null, code: "unknown_url" });
}

export function wrongKey(key: string | undefined): ApiError {
  const message =
    key === undefined
      ? "You didn't provide an API key. Send it as 'Authorization: Bearer KEY' or as 'api-key: KEY'."
      : `Incorrect API key provided: ${masked(key)}.`;
  const code = key === undefined ? null : "invalid_api_key";
  return new ApiError(401, { message, type: "invalid_request_error", param: null, code });
}

const SCRIPTED: Record<number, { type: string; code: string | null; message: string }> = {
  400: { type: "invalid_request_error", code: null, message: "Invalid request (simulated)." },
  401: { type: "invalid_request_error", code: "invalid_api_key", message: "Incorrect API key provided (simulated)." },
  404: { type: "invalid_request_error", code: "model_not_found", message: "The model does not exist (simulated)." },
  429: { type: "requests", code: "rate_limit_exceeded", message: "Rate limit reached for requests (simulated)." },
  500: { type: "server_error", code: null, message: "The server had an error (simulated)." },
  503: { type: "server_error", code: null, message: "The engine is currently overloaded (simulated)." },
};

/** The error of a scripted turn: the usual one of its status, with the script's own fields on top. */
export function scriptedError(status: number, error?: Record<string, unknown>, retryAfter?: number): ApiError {
  const usual = SCRIPTED[status] ?? { type: "server_error", code: null, message: "An error (simulated)." };
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return new ApiError(status, { ...usual, param: null, ...error }, headers);
}

function masked(key: string): string {
  return key.length < 12 ? "*".repeat(key.length) : `${key.slice(0, 3)}${"*".repeat(8)}${key.slice(-3)}`;
}
