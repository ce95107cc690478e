/** What went wrong at the embedding model: what to do about it, what the client reads, and what the log tells. */
import type { Details } from "../log.ts";
import type { RunError } from "../resources/run.ts";
import { failureDetails } from "./failure.ts";
import { hasNoChatCompletions, modelTrouble } from "./trouble.ts";
import { NoEmbeddingModel, NoEmbeddings, WrongDimensions } from "./types.ts";

/** `error` is what a client reads once this is the end. */
export type EmbeddingTrouble =
  /** The same may work later; `retryAfter`: milliseconds that the endpoint asked to wait, if it did. */
  | { kind: "later"; retryAfter: number | undefined; error: RunError }
  /** The same will be refused again. */
  | { kind: "final"; error: RunError };

const serverError = (message: string): RunError => ({ code: "server_error", message });

export function embeddingTrouble(error: unknown, model: string): EmbeddingTrouble {
  if (error instanceof NoEmbeddingModel || error instanceof WrongDimensions) return final(error.message);
  if (error instanceof NoEmbeddings) {
    return { kind: "later", retryAfter: undefined, error: serverError(error.message) };
  }
  if (isWrongPath(error)) return final("The embedding model's endpoint serves no embeddings at its address.");
  const { error: told, retryable, retryAfter } = modelTrouble(error, model);
  if (retryable) return { kind: "later", retryAfter, error: told };
  // What the endpoint says may quote its users' texts and name its deployment: that is for the log.
  return told.code === "rate_limit_exceeded" ? { kind: "final", error: NO_QUOTA } : final(REFUSED);
}

const REFUSED = "The embedding model refused the request.";

const NO_QUOTA: RunError = { code: "rate_limit_exceeded", message: "The embedding model's quota is used up." };

const final = (message: string): EmbeddingTrouble => ({ kind: "final", error: serverError(message) });

/** An address that has nothing answers the same, whatever it was asked for. */
const isWrongPath = hasNoChatCompletions;

/** Enough to find out why, without a word of a user's or a key. */
export function embeddingFailure(error: unknown): Details {
  const { hint: _, ...details } = failureDetails(error);
  if (!isWrongPath(error) && !(error instanceof NoEmbeddings)) return details;
  const hint = "the address answers, but not with embeddings: check EMBEDDING_ENDPOINT (MODEL_ENDPOINT if not set)";
  return { ...details, hint };
}
