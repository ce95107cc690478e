/** An answer other than success: the status, code and message that a client sees. */
export class CosmosError extends Error {
  readonly status: number;
  readonly code: string;
  readonly substatus: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    details: { substatus?: number; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.substatus = details.substatus;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export const badRequest = (message: string, substatus?: number) =>
  new CosmosError(400, "BadRequest", message, substatus === undefined ? {} : { substatus });

/** What the real service has and this server does not: refused by name, so that no client gets a silently wrong answer. */
export const unsupported = (feature: string) => badRequest(`Not supported by the local Cosmos DB server: ${feature}.`);

export const unauthorized = (message: string) => new CosmosError(401, "Unauthorized", message);

export const itemNotFound = () =>
  new CosmosError(404, "NotFound", "Entity with the specified id does not exist in the system.");

export const ownerNotFound = () => new CosmosError(404, "NotFound", "Owner resource does not exist");

export const alreadyExists = () =>
  new CosmosError(409, "Conflict", "Entity with the specified id already exists in the system.");

export const uniqueKeyTaken = () => new CosmosError(409, "Conflict", "Unique index constraint violation.");

export const preconditionFailed = () =>
  new CosmosError(412, "PreconditionFailed", "One of the specified pre-condition is not met");

export const tooLarge = (message: string) => new CosmosError(413, "RequestEntityTooLarge", message);

/** 3200 is the substatus for "this container's request units are used up". */
export const tooManyRequests = (retryAfterMs: number) =>
  new CosmosError(429, "TooManyRequests", "The request rate is large. Please retry after sometime.", {
    substatus: 3200,
    retryAfterMs,
  });

export const serviceUnavailable = () =>
  new CosmosError(503, "ServiceUnavailable", "Service is currently unavailable, please retry after a while.");
