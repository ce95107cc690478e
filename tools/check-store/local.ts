/** The store that `npm start` keeps in a folder of data, whether that runs or not. */
import { existsSync } from "node:fs";
import path from "node:path";
import { type CosmosServer, KEY, startCosmos } from "../../local/cosmos/server.ts";
import { holderOf } from "../../local/folder-lock.ts";

export interface LocalStore {
  endpoint: string;
  /** Whether workers run. */
  isRunning: boolean;
  /** Ends what was started for the check. */
  close(): Promise<void>;
}

/** The key of every local Cosmos DB server. It is public. */
export const LOCAL_KEY = KEY;

/**
 * Serves the data itself if the app does not run; meanwhile the app cannot start with them. Undefined if there are
 * none. Throws if the data cannot be read or if the app is just starting.
 */
export async function localStore(folder: string): Promise<LocalStore | undefined> {
  const holder = holderOf(folder);
  if (holder?.cosmos !== undefined) return { endpoint: holder.cosmos, isRunning: true, close: async () => {} };
  if (holder) throw new Error(`Threadkeep is starting with the data in ${folder} (pid ${holder.pid}). Try again.`);
  const data = path.join(folder, "cosmos");
  if (!existsSync(path.join(data, "journal.jsonl"))) return undefined;
  const server: CosmosServer = await startCosmos({ data });
  return { endpoint: server.endpoint, isRunning: false, close: () => server.stop() };
}
