/** Who calls: a key in `api-key` or `Authorization: Bearer`, mapped to its tenant. */
import { hash, timingSafeEqual } from "node:crypto";
import type { ApiKey } from "../config.ts";
import { accessDenied, incorrectApiKey, noApiKey } from "../resources/errors.ts";

/** How a URL is written: Azure's form or OpenAI's. Refusals speak the form's language. */
export type Face = "azure" | "openai";

export class Keys {
  readonly #known: { digest: Buffer; tenant: string }[];

  constructor(keys: ApiKey[]) {
    this.#known = keys.map(({ key, tenant }) => ({ digest: digest(key), tenant }));
  }

  /** The caller's tenant, or an `ApiError` 401. No key configured means no access. */
  authenticate(headers: { get(name: string): string | null }, face: Face): string {
    const given = headers.get("api-key") ?? bearer(headers.get("authorization"));
    const tenant = given === undefined ? undefined : this.#tenantOf(given);
    if (tenant !== undefined) return tenant;
    if (face === "azure") throw accessDenied();
    throw given === undefined ? noApiKey() : incorrectApiKey(masked(given));
  }

  /** Looks at every key and compares digests: the time it takes tells nothing about any of them. */
  #tenantOf(given: string): string | undefined {
    const wanted = digest(given);
    let found: string | undefined;
    for (const { digest: known, tenant } of this.#known) if (timingSafeEqual(known, wanted)) found = tenant;
    return found;
  }
}

const digest = (key: string) => hash("sha256", key, "buffer");

const bearer = (header: string | null) => header?.match(/^Bearer\s+(\S+)\s*$/i)?.[1];

/** Enough to recognise one's own key, not enough to use it. */
const masked = (key: string) => (key.length < 16 ? "****" : `${key.slice(0, 3)}****${key.slice(-4)}`);
