/** What the engine works with. Everything that acts on the outside is handed in. */
import type { Blobs } from "../blobs/blobs.ts";
import type { Config } from "../config.ts";
import type { Images } from "../files/images.ts";
import type { WakeUps } from "../jobs/wake-ups.ts";
import type { Log } from "../log.ts";
import type { Model } from "../model/client.ts";
import type { Store } from "../store/store.ts";
import type { Drives } from "./drives.ts";
import type { HostedTool } from "./tools/hosted-tool.ts";

export interface Engine {
  store: Store;
  model: Model;
  /** undefined: this deployment serves no files */
  blobs: Blobs | undefined;
  images: Images;
  wakeUps: WakeUps;
  config: Config;
  log: Log;
  /** names this process in leases */
  owner: string;
  /** milliseconds since 1970 */
  now: () => number;
  drives: Drives;
  /** the tools that the server works for the model, loaded with the first run that has one */
  hosted: () => Promise<readonly HostedTool[]>;
  /**
   * whether a failed model call is repeated here, since a client listens, or the run is released for a later attempt
   */
  retriesInPlace: boolean;
}
