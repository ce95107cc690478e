/**
 * Versions of what builds leave to each other: documents and wake-ups. Each tells as `v` the lowest schema version that
 * understands it. New fields need no new version, since every build keeps the fields that it does not know; a change of
 * meaning does. What follows from that: docs/architecture.md, "Versions".
 */

/** The newest version that this build understands. */
export const SCHEMA_VERSION = 3;

/** Since this version, runs may use hosted tools: their steps hold calls that are no functions. */
export const HOSTED_TOOLS_VERSION = 2;

/**
 * Since this version, runs may use the code interpreter: calls are stored before they are done, and messages begin with
 * images.
 */
export const CODE_TOOL_VERSION = 3;

/** What tells no version is of the first. */
export interface Version {
  v?: number | undefined;
}

/** Whether only a newer build understands it. */
export const isNewerVersion = ({ v }: Version) => (v ?? 1) > SCHEMA_VERSION;
