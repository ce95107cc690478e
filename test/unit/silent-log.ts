import type { Log } from "../../src/log.ts";

/** For tests in which the app's log does not matter. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {}, with: () => silentLog };
