/** Ways to break the project that its tests must notice: each replaces pieces of its source. */
import { AZURE_BREAKS } from "./azure-breaks.ts";
import type { Break } from "./break.ts";
import { CODE_BREAKS } from "./code-breaks.ts";
import { ENGINE_BREAKS } from "./engine-breaks.ts";

export const BREAKS: Break[] = [...ENGINE_BREAKS, ...AZURE_BREAKS, ...CODE_BREAKS];
