/** An answer other than success: the status, code and message that a client sees. */
export class CosmosError extends Error {
  readonly status: number;
  readonly code: string;
  readonly substatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** More JSON for the client, as text in the body: the plan of a query that needs one. */
  readonly additionalErrorInfo: string | undefined;
  /** What the failed request cost, where its kind alone does not say. */
  charge: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    details: { substatus?: number; retryAfterMs?: number; additionalErrorInfo?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.substatus = details.substatus;
    this.retryAfterMs = details.retryAfterMs;
    this.additionalErrorInfo = details.additionalErrorInfo;
  }
}

export const badRequest = (message: string, substatus?: number) =>
  new CosmosError(400, "BadRequest", message, substatus === undefined ? {} : { substatus });

/**
 * What the real service has and this server does not: refused by name, so that no client gets a silently wrong answer.
 */
export const unsupported = (feature: string) => badRequest(`Not supported by the local Cosmos DB server: ${feature}.`);

export const unauthorized = (message: string) => new CosmosError(401, "Unauthorized", message);

/** Identities may read and write documents; templates, or the key, make databases, containers and throughput. */
export const notForIdentities = (method: string, path: string) =>
  new CosmosError(
    403,
    "Forbidden",
    `The given request [${method} ${path}] cannot be authorized by AAD token in data plane.`,
    {
      substatus: 5300,
    },
  );

export const itemNotFound = () =>
  new CosmosError(404, "NotFound", "Entity with the specified id does not exist in the system.");

export const ownerNotFound = () => new CosmosError(404, "NotFound", "Owner resource does not exist");

export const alreadyExists = () =>
  new CosmosError(409, "Conflict", "Entity with the specified id already exists in the system.");

/** A physical partition was split, or never existed. */
export const rangeGone = (id: string) =>
  new CosmosError(
    410,
    "Gone",
    `The requested resource is no longer available at the server: partition key range '${id}'.`,
    {
      substatus: 1002,
    },
  );

/** The words of the service. Clients look at the substatus and at the plan that comes along. */
export const needsQueryPlan = (plan: unknown) =>
  new CosmosError(
    400,
    "BadRequest",
    "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) " +
      "exception that all newer clients will know how to handle gracefully.",
    { substatus: 1004, additionalErrorInfo: JSON.stringify(plan) },
  );

/** The replicas that this request may read have not yet applied the write that its session token stands for. */
export const sessionNotAvailable = () =>
  new CosmosError(404, "NotFound", "The read session is not available for the input session token.", {
    substatus: 1002,
  });

export const uniqueKeyTaken = () => new CosmosError(409, "Conflict", "Unique index constraint violation.");

export const preconditionFailed = () =>
  new CosmosError(412, "PreconditionFailed", "One of the specified pre-condition is not met");

export const tooLarge = (message: string) => new CosmosError(413, "RequestEntityTooLarge", message);

export const serviceUnavailable = () =>
  new CosmosError(503, "ServiceUnavailable", "Service is currently unavailable, please retry after a while.");

/** 3200 is the substatus for "this container's request units are used up". */
export const tooManyRequests = (retryAfterMs: number) =>
  new CosmosError(429, "TooManyRequests", "The request rate is large. Please retry after sometime.", {
    substatus: 3200,
    retryAfterMs,
  });
