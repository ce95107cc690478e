/**
 * Who calls: a key in `api-key` or `Authorization: Bearer`, or an access token of Microsoft Entra ID in the latter,
 * mapped to its tenant.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { ApiKey, EntraSettings } from "../access-settings.ts";
import type { Log } from "../log.ts";
import { accessDenied, incorrectApiKey, noApiKey } from "../resources/errors.ts";
import type { EntraCallers } from "./entra-callers.ts";

/** How a URL is written: Azure's form or OpenAI's. Refusals speak the form's language. */
export type Face = "azure" | "openai";

export interface AccessOptions {
  apiKeys: ApiKey[];
  entra?: EntraSettings | undefined;
  log: Log;
  /** milliseconds since 1970 */
  now: () => number;
}

interface CallerHeaders {
  get(name: string): string | null;
}

export class Access {
  readonly #known: { digest: Buffer; tenant: string }[];
  readonly #entra: EntraSettings | undefined;
  readonly #now: () => number;
  readonly #log: Log;
  /** loaded when the first token comes: apps that use keys never do that */
  #callers: Promise<EntraCallers> | undefined;

  constructor({ apiKeys, entra, log, now }: AccessOptions) {
    this.#known = apiKeys.map(({ digest, tenant }) => ({ digest: Buffer.from(digest, "hex"), tenant }));
    this.#entra = entra;
    this.#now = now;
    this.#log = log;
  }

  /** The caller's tenant. Throws an `ApiError`: 401, or 503 if a token cannot be checked now. */
  async tenantOf(headers: CallerHeaders, face: Face): Promise<string> {
    const key = headers.get("api-key");
    const given = key ?? bearer(headers.get("authorization"));
    const tenant = given === undefined ? undefined : this.#ownerOf(given);
    if (tenant !== undefined) return tenant;
    if (key === null && given !== undefined && this.#entra !== undefined && JWT.test(given)) {
      return (await this.#entraCallers(this.#entra)).tenantOf(given, face);
    }
    if (face === "azure") throw accessDenied();
    throw given === undefined ? noApiKey() : incorrectApiKey(masked(given));
  }

  /** Looks at every key and compares digests: the time it takes tells nothing about any of them. */
  #ownerOf(given: string): string | undefined {
    const wanted = hash("sha256", given, "buffer");
    let found: string | undefined;
    for (const { digest, tenant } of this.#known) if (timingSafeEqual(digest, wanted)) found = tenant;
    return found;
  }

  #entraCallers(entra: EntraSettings): Promise<EntraCallers> {
    this.#callers ??= import("./entra-callers.ts").then(
      (module) => new module.EntraCallers(entra, this.#log, this.#now),
    );
    return this.#callers;
  }
}

const bearer = (header: string | null) => header?.match(/^Bearer\s+(\S+)\s*$/i)?.[1];

/** Header, claims and signature in base64url. A key that looks like this is looked for among the keys first. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Enough to recognise one's own key, not enough to use it. */
const masked = (key: string) => (key.length < 16 ? "****" : `${key.slice(0, 3)}****${key.slice(-4)}`);
