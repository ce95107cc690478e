// Function keys: `x-functions-key` or `?code=`, for functions of authLevel `function` or `admin` and the admin API.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export interface KeyOptions {
  /** Opens everything, the admin API included. */
  master?: string | undefined;
  /** Opens functions of authLevel `function`. */
  function?: string | undefined;
}

export type AuthLevel = "anonymous" | "function" | "admin";

/**
 * Checks keys. Without any key configured everything is open, as Azure Functions Core Tools have it on a developer's
 * machine.
 */
export class FunctionKeys {
  readonly #master: Buffer | undefined;
  readonly #function: Buffer | undefined;

  constructor(keys: KeyOptions) {
    this.#master = keys.master === undefined ? undefined : digest(keys.master);
    this.#function = keys.function === undefined ? undefined : digest(keys.function);
  }

  /** The admin API is open until a master key is configured; the server listens on the loopback interface only. */
  allowsAdminApi(request: IncomingMessage, query: URLSearchParams): boolean {
    return !this.#master || this.allows("admin", request, query);
  }

  allows(level: AuthLevel, request: IncomingMessage, query: URLSearchParams): boolean {
    if (level === "anonymous" || (!this.#master && !this.#function)) return true;
    const header = request.headers["x-functions-key"];
    const given = typeof header === "string" ? header : query.get("code");
    if (!given) return false;
    const hash = digest(given);
    return same(hash, this.#master) || (level === "function" && same(hash, this.#function));
  }
}

/** The authLevel of an HTTP trigger; one that this host does not know is treated as the strictest. */
export function authLevel(text: unknown): AuthLevel {
  const level = String(text ?? "function").toLowerCase();
  return level === "anonymous" || level === "function" ? level : "admin";
}

// Comparing digests takes the same time whatever the lengths of the two keys are.
function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

function same(given: Buffer, expected: Buffer | undefined): boolean {
  return expected !== undefined && timingSafeEqual(given, expected);
}
