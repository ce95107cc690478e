import { parseArgs } from "node:util";
import { certificateOf } from "../certificate.ts";
import type { CosmosOptions } from "./server.ts";
import { type Capacity, parseConsistency, parseSettings, type Settings } from "./settings.ts";

export const USAGE = `node local/cosmos/main.ts [--port 8081] [--data DIR] [--seed N]
  [--compact-from BYTES]     the smallest journal that is ever shortened (8 MB)
  [--partitions N]           physical partitions of a new container (1)
  [--consistency LEVEL]      strong (default), boundedStaleness, session, consistentPrefix, eventual
  [--lag MS]                 how far weak reads are behind (250 for a weak account, 0 for a strong one)
  [--behind-token WHAT]      serve (default) or refuse (404/1002) a read whose session token is ahead of that
  [--provisioned]            containers without their own throughput get 400 RU/s, as in the service
  [--throughput N]           that, with N RU/s
  [--autoscale N]            that, with autoscale up to N RU/s
  [--serverless]             5,000 RU/s for each physical partition; none of these: no limit
  [--not-modified PRICE]     flat (default) or document: what a conditional read that answers 304 costs
  [--vector-queries WHAT]    served (default) or planned: whether they need a plan though they name a partition
  [--account NAME] [--region NAME]
  [--https] [--certificate FILE]   serve https; the certificate to trust is in FILE, the key in FILE.key
  [--issuer URL]             the local identity server, which must have signed the tokens of identities`;

const DEFAULT_PORT = "8081";

export interface CommandLine {
  options: CosmosOptions;
  port: number;
}

/** Reads the arguments; undefined if they ask for help. Throws with what is wrong. */
export function parseCommandLine(args: string[]): CommandLine | undefined {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: DEFAULT_PORT },
      data: { type: "string" },
      "compact-from": { type: "string" },
      seed: { type: "string", default: "1" },
      partitions: { type: "string", default: "1" },
      consistency: { type: "string", default: "strong" },
      lag: { type: "string" },
      "behind-token": { type: "string", default: "serve" },
      provisioned: { type: "boolean", default: false },
      serverless: { type: "boolean", default: false },
      throughput: { type: "string" },
      autoscale: { type: "string" },
      "not-modified": { type: "string", default: "flat" },
      "vector-queries": { type: "string", default: "served" },
      account: { type: "string" },
      region: { type: "string" },
      https: { type: "boolean", default: false },
      certificate: { type: "string" },
      issuer: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { account, region, data, lag, issuer } = values;
  const compactFrom = values["compact-from"];
  const settings: Partial<Settings> = {
    ...capacityOf(values),
    consistency: parseConsistency(values.consistency),
    ...parseSettings({
      behindToken: values["behind-token"],
      notModified: values["not-modified"],
      vectorQueries: values["vector-queries"],
      ...(lag !== undefined && { lagMs: count("lag", lag, 0) }),
    }),
  };
  const options: CosmosOptions = {
    port: count("port", values.port, 0),
    seed: Number(values.seed),
    partitions: count("partitions", values.partitions, 1),
    https: values.https,
    ...(values.certificate !== undefined && { certificate: certificateOf(values.certificate) }),
    settings,
    ...(data !== undefined && { data }),
    ...(compactFrom !== undefined && { compactFrom: count("compact-from", compactFrom, 0) }),
    ...(account !== undefined && { account }),
    ...(region !== undefined && { region }),
    ...(issuer !== undefined && { issuer }),
  };
  return { options, port: count("port", values.port, 0) };
}

function capacityOf(values: {
  provisioned: boolean;
  serverless: boolean;
  throughput?: string;
  autoscale?: string;
}): Partial<Settings> {
  const { autoscale, throughput } = values;
  const given = autoscale ?? throughput;
  const capacity: Capacity = values.serverless
    ? "serverless"
    : values.provisioned || given !== undefined
      ? "provisioned"
      : "unlimited";
  return {
    capacity,
    ...(given !== undefined && { throughput: count("throughput", given, 1) }),
    autoscale: autoscale !== undefined,
  };
}

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new Error(`--${name} must be a whole number from ${least} on.`);
  return value;
}
