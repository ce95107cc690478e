/** How the identity endpoint and the directory's keys misbehave, as a test wants it. */
import { z } from "zod";

export const behaviourSchema = z.strictObject({
  /** Answers with this status instead of a token. */
  status: z.int().min(400).max(599).optional(),
  /** Milliseconds before it answers. */
  delayMs: z.int().min(0).optional(),
  /** Takes requests and never answers. */
  hang: z.boolean().optional(),
  /** Seconds for which its tokens are valid; negative ones have expired. */
  lifetime: z.int().optional(),
  /** The same for the keys that are published. */
  keys: z.strictObject({ status: z.int().min(400).max(599).optional(), hang: z.boolean().optional() }).optional(),
});

export type Behaviour = z.output<typeof behaviourSchema>;
