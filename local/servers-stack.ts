// The servers that the app needs, without the app, and the settings with which it finds them.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { azuriteSpec, blobConnectionString } from "./azurite-spec.ts";
import { Child, type Exit } from "./child.ts";
import { PROJECT } from "./options.ts";
import { cosmosSpec, modelSpec, SEEN_DELAYS, serviceBusSpec } from "./server-specs.ts";
import type { StackPorts } from "./stack.ts";
import { codeSpec } from "./stack-code.ts";

export type ServerPorts = Omit<StackPorts, "functions">;

export interface ServersOptions {
  /** 0 takes a free one. */
  ports: ServerPorts;
  dataDir: string;
  /** `tenant:key`, comma separated: for the settings. */
  apiKeys: string;
  /** Called when a server ends on its own. */
  onDeath: (child: Child, exit: Exit) => void;
}

export interface Servers {
  /** What `Values` of local.settings.json has to say. They name these servers and hold local keys only. */
  settings: Record<string, string>;
  stop(): Promise<void>;
}

const BLOB_PORT = 10_000;
const SAMPLE = path.join(PROJECT, "local.settings.sample.json");

/** Starts each server in a process of its own. Rejects with the last output of one that does not start. */
export async function startServers({ ports, dataDir, apiKeys, onDeath }: ServersOptions): Promise<Servers> {
  const sample = await sampleSettings();
  const specs = [
    cosmosSpec(ports.cosmos, dataDir),
    serviceBusSpec({ port: ports.serviceBus, controlPort: ports.serviceBusControl }, dataDir),
    modelSpec(ports.model, sample.MODEL_KEY ?? "", SEEN_DELAYS),
    azuriteSpec(ports.blobs, dataDir),
    codeSpec(
      ports.code,
      sample.CODE_SESSIONS_KEY ?? "",
      { packages: "fetch", isPrepared: true, makesRoom: true },
      dataDir,
      process.env,
    ),
  ];
  const children = specs.map(
    (spec) =>
      new Child({
        cwd: PROJECT,
        env: process.env,
        log: (line) => console.log(`[${spec.name}] ${line}`),
        onDeath,
        ...spec,
      }),
  );
  const stop = async () => {
    await Promise.all(children.map((child) => child.kill()));
  };
  try {
    await Promise.all(children.map((child) => child.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  const [cosmos, serviceBus, model, blobs, code] = children.map((child) => child.ports.port);
  const settings = {
    ...sample,
    API_KEYS: apiKeys,
    COSMOS_ENDPOINT: `http://127.0.0.1:${cosmos}`,
    ServiceBusConnection: (sample.ServiceBusConnection ?? "").replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${serviceBus}`),
    MODEL_ENDPOINT: `http://127.0.0.1:${model}/v1`,
    CODE_SESSIONS_ENDPOINT: `http://127.0.0.1:${code}`,
    ...(blobs === undefined ? {} : { BLOBS_CONNECTION: blobConnectionString(blobs) }),
    // On its usual port the Functions host finds Azurite by the name in the sample.
    ...(blobs === undefined || blobs === BLOB_PORT ? {} : { AzureWebJobsStorage: blobConnectionString(blobs) }),
  };
  return { settings, stop };
}

async function sampleSettings(): Promise<Record<string, string>> {
  const { Values } = JSON.parse(await readFile(SAMPLE, "utf8")) as { Values: Record<string, string> };
  return Values;
}
