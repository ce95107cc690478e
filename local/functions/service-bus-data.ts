// Service Bus messages in the form in which the host hands them to the worker.

import type { ServiceBusReceivedMessage } from "@azure/service-bus";
import type { TypedData } from "./protocol.ts";

/** The body as text, which the library parses if it is JSON. */
export function messageText(message: ServiceBusReceivedMessage): string {
  const { body } = message;
  if (Buffer.isBuffer(body)) return body.toString("utf8");
  return typeof body === "string" ? body : JSON.stringify(body ?? "");
}

/** The trigger metadata of one message, under the names that the Service Bus extension gives them. */
export function messageMetadata(message: ServiceBusReceivedMessage): Record<string, TypedData> {
  return typed(messageProperties(message));
}

/** The trigger metadata of a batch: an array of each property, with null where a message has none. */
export function batchMetadata(messages: ServiceBusReceivedMessage[]): Record<string, TypedData> {
  const all = messages.map(messageProperties);
  const names = new Set(all.flatMap((properties) => Object.keys(properties)));
  const arrays: Record<string, unknown> = {};
  for (const name of names) arrays[`${name}Array`] = all.map((properties) => properties[name] ?? null);
  return typed(arrays);
}

function messageProperties(message: ServiceBusReceivedMessage): Record<string, unknown> {
  const applicationProperties = message.applicationProperties ?? {};
  const expiresAt = representable(message.expiresAtUtc);
  return {
    // The SDK counts the deliveries before this one; the extension counts this one too.
    DeliveryCount: (message.deliveryCount ?? 0) + 1,
    DeadLetterSource: message.deadLetterSource,
    LockToken: message.lockToken,
    ExpiresAtUtc: expiresAt,
    ExpiresAt: expiresAt,
    EnqueuedTimeUtc: message.enqueuedTimeUtc,
    EnqueuedTime: message.enqueuedTimeUtc,
    MessageId: text(message.messageId),
    ContentType: message.contentType,
    ReplyTo: message.replyTo,
    SequenceNumber: Number(message.sequenceNumber),
    To: message.to,
    Subject: message.subject,
    Label: message.subject,
    CorrelationId: text(message.correlationId),
    ApplicationProperties: applicationProperties,
    UserProperties: applicationProperties,
    PartitionKey: message.partitionKey,
  };
}

/** Strings as they are, everything else as JSON; what is not set is left out. */
function typed(values: Record<string, unknown>): Record<string, TypedData> {
  const data: Record<string, TypedData> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null) continue;
    data[name] = typeof value === "string" ? { string: value } : { json: JSON.stringify(value) };
  }
  return data;
}

function text(id: string | number | Buffer | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

/** A message that never expires has a date beyond what .NET, and so the extension, can express. */
function representable(date: Date | undefined): Date | undefined {
  return date && date.getUTCFullYear() > 9999 ? new Date("9999-12-31T23:59:59.999Z") : date;
}
