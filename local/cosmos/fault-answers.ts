import { CosmosError } from "./errors.ts";
import type { BatchFault, BodyKind, FaultRule, StatusFault } from "./fault-rules.ts";

/** An injected error, and in which form the client gets it. */
export interface FaultAnswer {
  error: CosmosError;
  body: BodyKind;
}

interface Description {
  status: number;
  code: string;
  message: string;
  substatus?: number;
  body?: BodyKind;
}

const RETRY_WITH = "Conflicting request to resource has been attempted. Retry to avoid conflicts.";
const GONE = "The requested resource is no longer available at the server.";
const BUSY = "The request rate is large. Please retry after sometime.";
const UNAVAILABLE = "Service is currently unavailable, please retry after a while.";
const TIMED_OUT = "Request timed out.";
const BROKEN = "An unknown error occurred while processing this request.";

const ANSWERS: Record<StatusFault, Description> = {
  "403-3": {
    status: 403,
    code: "Forbidden",
    message: "The requested operation cannot be performed at this region.",
    substatus: 3,
  },
  "404-1002": {
    status: 404,
    code: "NotFound",
    message: "The read session is not available for the input session token.",
    substatus: 1002,
  },
  "408": { status: 408, code: "RequestTimeout", message: TIMED_OUT },
  "410": { status: 410, code: "Gone", message: GONE },
  "429": { status: 429, code: "TooManyRequests", message: BUSY, substatus: 3200 },
  "449": { status: 449, code: "RetryWith", message: RETRY_WITH },
  "500": { status: 500, code: "InternalServerError", message: BROKEN },
  "502-html": { status: 502, code: "BadGateway", message: "Bad Gateway", body: "html" },
  "503": { status: 503, code: "ServiceUnavailable", message: UNAVAILABLE },
  "504": { status: 504, code: "GatewayTimeout", message: "The gateway did not get an answer in time." },
  "empty-body": { status: 503, code: "ServiceUnavailable", message: "", body: "empty" },
};

const IN_BATCH: Record<BatchFault, Description> = {
  "408-in-batch": ANSWERS["408"],
  "410-in-batch": ANSWERS["410"],
  "429-in-batch": ANSWERS["429"],
  "449-in-batch": ANSWERS["449"],
  "500-in-batch": ANSWERS["500"],
  "503-in-batch": ANSWERS["503"],
};

const DEFAULT_RETRY_AFTER_MS = 10;

export function statusAnswer(fault: StatusFault, rule: FaultRule): FaultAnswer {
  const description = ANSWERS[fault];
  return { error: errorOf(description, rule), body: rule.body ?? description.body ?? "json" };
}

export const batchError = (fault: BatchFault, rule: FaultRule): CosmosError => errorOf(IN_BATCH[fault], rule);

function errorOf(description: Description, rule: FaultRule): CosmosError {
  const { status, code, message } = description;
  const substatus = rule.substatus ?? description.substatus;
  return new CosmosError(status, code, message, {
    ...(substatus !== undefined && { substatus }),
    ...(status === 429 && { retryAfterMs: rule.ms ?? DEFAULT_RETRY_AFTER_MS }),
  });
}

/** What a proxy in front of the service sends for an error of its own. */
export const htmlPage = ({ status, message }: CosmosError) =>
  `<html><head><title>${status} ${message}</title></head>` +
  `<body><center><h1>${status} ${message}</h1></center></body></html>`;
