/** Queues from a file in the form of the official emulator's Config.json, so that one file serves both. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { QueueSettings } from "./message.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** The largest message (and batch) in bytes, by the namespace's tier. */
export const MAX_MESSAGE_SIZE = { standard: 256 * 1024, premium: 1024 * 1024 };
export type Tier = keyof typeof MAX_MESSAGE_SIZE;

/** A message size that is not set is that of the tier. */
export const DEFAULT_SETTINGS: Omit<QueueSettings, "maxMessageSize"> = {
  lockDuration: MINUTE,
  maxDeliveryCount: 10,
  defaultTtl: undefined,
  deadLetterOnExpire: false,
  dupWindow: 0,
};

export interface QueueConfig {
  name: string;
  settings: QueueSettings;
}

const duration = z.iso.duration().transform(parseDuration);

/** Keys that are unknown or mean something that the broker does not do are errors: never a silent wrong answer. */
const propertiesSchema = z.strictObject({
  LockDuration: duration.default(MINUTE),
  MaxDeliveryCount: z.int().min(1).default(10),
  RequiresDuplicateDetection: z.boolean().default(false),
  DuplicateDetectionHistoryTimeWindow: duration.default(10 * MINUTE),
  DefaultMessageTimeToLive: duration.optional(),
  DeadLetteringOnMessageExpiration: z.boolean().default(false),
  RequiresSession: z.literal(false, "Sessions are not supported by this local broker.").default(false),
  ForwardTo: z.literal("", "Forwarding is not supported by this local broker.").default(""),
  ForwardDeadLetteredMessagesTo: z.literal("", "Forwarding is not supported by this local broker.").default(""),
});

const configSchema = z.object({
  UserConfig: z.object({
    Namespaces: z
      .array(
        z.object({
          Name: z.string(),
          Queues: z.array(z.object({ Name: z.string().min(1), Properties: propertiesSchema })).default([]),
          Topics: z.array(z.unknown()).max(0, "Topics are not supported by this local broker.").default([]),
        }),
      )
      .length(1, "The broker serves exactly one namespace."),
  }),
});

/** Milliseconds of an ISO 8601 duration. Throws on years and months, which have no fixed length. */
export function parseDuration(text: string): number {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text);
  if (!match) throw new Error(`${text} is not a duration in days, hours, minutes and seconds.`);
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = match;
  return Math.round(
    Number(days) * DAY + Number(hours) * 60 * MINUTE + Number(minutes) * MINUTE + Number(seconds) * SECOND,
  );
}

/**
 * Reads a configuration file. Unless `lenient`, values that the real service would refuse are refused.
 * `lockDuration` (ms) replaces that of every queue. The tier is `standard` if absent.
 */
export function readConfig(
  file: string,
  options: { lenient: boolean; lockDuration?: number | undefined; tier?: Tier },
): QueueConfig[] {
  const parsed = configSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  const queues = parsed.data.UserConfig.Namespaces.flatMap((namespace) => namespace.Queues);
  return queues.map(({ Name: name, Properties: properties }) => {
    const settings: QueueSettings = {
      lockDuration: options.lockDuration ?? properties.LockDuration,
      maxDeliveryCount: properties.MaxDeliveryCount,
      defaultTtl: properties.DefaultMessageTimeToLive,
      deadLetterOnExpire: properties.DeadLetteringOnMessageExpiration,
      dupWindow: properties.RequiresDuplicateDetection ? properties.DuplicateDetectionHistoryTimeWindow : 0,
      maxMessageSize: MAX_MESSAGE_SIZE[options.tier ?? "standard"],
    };
    if (!options.lenient) refuseWhatTheServiceRefuses(name, settings);
    return { name, settings };
  });
}

/** The limits of Azure Service Bus: quotas in its documentation. */
function refuseWhatTheServiceRefuses(queue: string, settings: QueueSettings): void {
  const { lockDuration, maxDeliveryCount, defaultTtl, dupWindow } = settings;
  const refuse = (what: string) => {
    throw new Error(`Queue ${queue}: ${what}. Start with --lenient to allow it.`);
  };
  if (lockDuration < 5 * SECOND || lockDuration > 5 * MINUTE) refuse("the lock duration must be from 5 s to 5 min");
  if (maxDeliveryCount > 2000) refuse("the maximum delivery count must be from 1 to 2000");
  if (defaultTtl !== undefined && defaultTtl < SECOND) refuse("the default time to live must be at least 1 s");
  if (dupWindow > 0 && (dupWindow < 20 * SECOND || dupWindow > 7 * DAY)) {
    refuse("the window of duplicate detection must be from 20 s to 7 days");
  }
}
