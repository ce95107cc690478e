/** What the server answers to a request that it refuses, in the form of Azure: `{"error":{"code","message"}}`. */

export class SessionsError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  get body(): { error: { code: string; message: string } } {
    return { error: { code: this.code, message: this.message } };
  }
}

export const invalid = (message: string) => new SessionsError(400, "SessionRequestValidationFailed", message);

/** What Azure does and this server does not: told, so that no client takes silence for success. */
export const unsupported = (what: string) =>
  new SessionsError(400, "NotSupportedLocally", `The local server does not support ${what}.`);

export const missingApiVersion = () =>
  new SessionsError(
    400,
    "MissingApiVersionParameter",
    "The api-version query parameter (?api-version=) is required for all requests.",
  );

export const unknownApiVersion = (version: string, known: string) =>
  new SessionsError(
    400,
    "UnsupportedApiVersion",
    `The api-version '${version}' is not supported by the local server: it knows '${known}'.`,
  );

export const unauthorized = () =>
  new SessionsError(401, "Unauthorized", "The request has no bearer token, or a wrong one.");

export const propertiesMissing = () =>
  new SessionsError(
    400,
    "SessionPropertiesMissing",
    "The properties codeInputType, executionType and code must be at the top of the request, not in 'properties'.",
  );

export const sessionNotFound = (identifier: string) =>
  new SessionsError(400, "SessionWithIdentifierNotFound", `The session '${identifier}' does not exist.`);

/** Azure answers 404 when a pool is full; its documentation does not tell the code. */
export const poolFull = (most: number) =>
  new SessionsError(404, "MaxSessionsReached", `The pool has its maximum number of sessions, ${most}.`);

export const fileNotFound = (name: string) => new SessionsError(404, "FileNotFound", `There is no file '${name}'.`);

export const executionNotFound = (id: string) =>
  new SessionsError(404, "ExecutionNotFound", `There is no execution '${id}'.`);

export const noSuchRoute = (route: string) => new SessionsError(404, "NotFound", `There is no ${route}.`);

export const wrongMethod = (route: string) =>
  new SessionsError(405, "MethodNotAllowed", `${route} is no operation of this resource.`);

export const tooLarge = (what: string, most: number) =>
  new SessionsError(413, "RequestEntityTooLarge", `${what} has more than ${most} bytes.`);

export const sessionEnded = (reason: string) =>
  new SessionsError(500, "SessionEnded", `The session ended during the request: ${reason}.`);

export const noSandbox = (message: string) => new SessionsError(503, "SandboxUnavailable", message);
