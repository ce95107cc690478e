// The servers that the app needs, as child processes: what starts each of them. `more`: further arguments.

import path from "node:path";
import type { Ready } from "./child.ts";

/** Slow enough to see an answer being streamed. */
export const SEEN_DELAYS = { firstTokenMs: 200, tokenMs: 20 };

/** Without a folder, what the server holds is in memory. */
function dataArgs(dataDir: string | undefined, name: string): string[] {
  return dataDir === undefined ? [] : ["--data", path.resolve(dataDir, name)];
}

export function cosmosSpec(port: number, dataDir: string | undefined, more: string[] = []) {
  const args = [...dataArgs(dataDir, "cosmos"), ...more];
  return {
    name: "cosmos",
    ports: { port },
    args: (ready: Ready) => ["local/cosmos/main.ts", "--port", String(ready.port), ...args],
  };
}

export function serviceBusSpec(
  ports: { port: number; controlPort: number },
  dataDir: string | undefined,
  more: string[] = [],
) {
  const args = ["--config", "local/service-bus/config.json", ...dataArgs(dataDir, "service-bus"), ...more];
  return {
    name: "service-bus",
    ports,
    args: ({ port, controlPort = 0 }: Ready) => {
      const listen = ["--port", String(port), "--control-port", String(controlPort)];
      return ["local/service-bus/main.ts", ...listen, ...args];
    },
  };
}

export function modelSpec(
  port: number,
  key: string,
  { firstTokenMs, tokenMs }: { firstTokenMs: number; tokenMs: number },
  more: string[] = [],
) {
  const delays = ["--first-token-ms", String(firstTokenMs), "--token-ms", String(tokenMs)];
  return {
    name: "model",
    ports: { port },
    args: (ready: Ready) => ["local/model/main.ts", "--port", String(ready.port), "--key", key, ...delays, ...more],
  };
}
