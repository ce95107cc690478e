/**
 * Wake-ups as OpenTelemetry sees them: https://opentelemetry.io/docs/specs/semconv/messaging. One that is sent at once
 * goes on in its sender's trace, by a property of the message that older builds do not look at; the Functions host
 * reads it, too. One for later, or one of many of the sweep, begins a trace of its own: traces must end.
 */
import type { ServiceBusMessage, ServiceBusMessageBatch } from "@azure/service-bus";
import { entry, type Invocation } from "../telemetry/entry.ts";
import { inSpan, record } from "../telemetry/telemetry.ts";

const aboutQueue = (queue: string, operation: string) => ({
  "messaging.system": "servicebus",
  "messaging.destination.name": queue,
  "messaging.operation.name": operation,
  "messaging.operation.type": operation,
});

/** `send` answers whether Service Bus has the messages. */
export function inSendSpan(
  queue: string,
  messages: ServiceBusMessage | ServiceBusMessageBatch,
  send: () => Promise<boolean>,
): Promise<boolean> {
  const isOne = "body" in messages;
  const about = aboutQueue(queue, "send");
  const attributes = isOne
    ? { ...about, "messaging.message.id": String(messages.messageId) }
    : { ...about, "messaging.batch.message_count": messages.count };
  return inSpan({ name: `send ${queue}`, kind: "producer", attributes }, async (span) => {
    const { traceparent } = span;
    if (isOne && traceparent !== undefined && messages.scheduledEnqueueTimeUtc === undefined)
      messages.applicationProperties = { traceparent };
    const isSent = await send();
    if (!isSent) span.fail("not_sent");
    return isSent;
  });
}

/** An invocation that a message of Service Bus has caused. */
export interface QueueInvocation extends Invocation {
  triggerMetadata?: Record<string, unknown> | undefined;
}

export function inProcessSpan<T>(queue: string, invocation: QueueInvocation, work: () => Promise<T>): Promise<T> {
  const { messageId, deliveryCount, applicationProperties } = invocation.triggerMetadata ?? {};
  const about = aboutQueue(queue, "process");
  const attributes = {
    ...about,
    "messaging.message.id": typeof messageId === "string" ? messageId : undefined,
    "messaging.servicebus.message.delivery_count": Number(deliveryCount) || undefined,
  };
  const carried: unknown =
    applicationProperties instanceof Object ? Reflect.get(applicationProperties, "traceparent") : undefined;
  const started = performance.now();
  return inSpan({ name: `process ${queue}`, attributes, ...entry(invocation, carried, "consumer") }, () =>
    work().finally(() => record("messaging.process.duration", (performance.now() - started) / 1_000, about)),
  );
}
