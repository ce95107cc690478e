/**
 * Every error that a client of the broker can see. The conditions and the texts matter: SDKs map them to their codes.
 */

export class ServiceBusError extends Error {
  readonly condition: string;
  /** HTTP-like status, sent in $cbs and $management replies. */
  readonly status: number;

  constructor(condition: string, description: string, status: number) {
    super(description);
    this.condition = condition;
    this.status = status;
  }
}

export const messageLockLost = () =>
  new ServiceBusError(
    "com.microsoft:message-lock-lost",
    "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue, " +
      "or was received by a different receiver instance.",
    410,
  );

/** SDKs recognise "The messaging entity '...' could not be found." and only then report MessagingEntityNotFound. */
export const entityNotFound = (address: string) =>
  new ServiceBusError("amqp:not-found", `The messaging entity '${address}' could not be found.`, 404);

export const messageNotFound = (description: string) =>
  new ServiceBusError("com.microsoft:message-not-found", description, 404);

export const notAllowed = (description: string) => new ServiceBusError("amqp:not-allowed", description, 400);

export const notSupported = (feature: string) =>
  new ServiceBusError("amqp:not-implemented", `${feature} are not supported by this local broker.`, 501);

export const malformed = (description: string) => new ServiceBusError("amqp:decode-error", description, 400);

export const messageTooLarge = (size: number, limit: number) =>
  new ServiceBusError(
    "amqp:link:message-size-exceeded",
    `The received message (delivery-id:0, size:${size} bytes) exceeds the limit (${limit} bytes) ` +
      "currently allowed on the link.",
    403,
  );

export const unauthorized = (description: string) => new ServiceBusError("amqp:unauthorized-access", description, 401);

export const serverBusy = () =>
  new ServiceBusError(
    "com.microsoft:server-busy",
    "The request was terminated because the entity is being throttled. Please wait 10 seconds and try again.",
    503,
  );

/** `why` as in `IdleTimerExpired: Idle timeout: 00:10:00.` */
export function linkDetachForced(link: { name: string; is_sender(): boolean }, why: string): ServiceBusError {
  // Named from the client's side, as the service does: what we send on, it consumes from.
  const role = link.is_sender() ? "consumer" : "publisher";
  const origin = link.is_sender() ? "AmqpMessageConsumer" : "AmqpMessagePublisher";
  return new ServiceBusError(
    "amqp:link:detach-forced",
    `The link '${link.name}' is force detached. Code: ${role}(link1). Details: ${origin}.${why}`,
    503,
  );
}

/** `what` as in `was inactive for more than the allowed 300000 milliseconds`. */
export const connectionForced = (what: string) =>
  new ServiceBusError(
    "amqp:connection:forced",
    `The connection ${what} and is closed by container 'LinkTracker'.`,
    503,
  );

/** The SDKs refuse such ids themselves, before they send. */
export const messageIdTooLong = (limit: number) =>
  new ServiceBusError("com.microsoft:argument-error", `A message id may have ${limit} characters at most.`, 400);

/** Turns anything thrown into something that can be sent; unexpected errors become amqp:internal-error. */
export function toServiceBusError(error: unknown): ServiceBusError {
  if (error instanceof ServiceBusError) return error;
  return new ServiceBusError("amqp:internal-error", error instanceof Error ? error.message : String(error), 500);
}
