/** Azure's dated API versions (docs/contract.md 1.2). */

/** The first version that had assistants at all; its clients' requests are read as those of today. */
const OLDEST = "2024-02-15-preview";
const UNDATED = new Set(["v1", "preview", "latest"]);

export function isSupportedVersion(version: string | undefined): boolean {
  if (version === undefined) return false;
  return UNDATED.has(version) || (/^\d{4}-\d{2}-\d{2}(-preview)?$/.test(version) && version >= OLDEST);
}
