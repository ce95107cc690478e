/** How the other local servers check the tokens that the local directory has signed. */
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from "node:crypto";

/** The message is for the client. */
export class InvalidToken extends Error {}

export class TokenCheck {
  readonly #address: string;
  #keys = new Map<string, KeyObject>();
  #tenantId: string | undefined;

  /** `address` of the identity server: `http://127.0.0.1:PORT` */
  constructor(address: string) {
    this.#address = address;
  }

  /** The claims of a token of the directory. Audience and times are left to the caller. Throws `InvalidToken`. */
  async check(token: string): Promise<Record<string, unknown>> {
    const [head = "", body = "", signature = "", ...rest] = token.split(".");
    const { alg, kid } = jsonOf(head);
    const claims = jsonOf(body);
    const key = rest.length === 0 && alg === "RS256" && typeof kid === "string" ? await this.#key(kid) : undefined;
    const signed = Buffer.from(`${head}.${body}`);
    if (key === undefined || !verify("sha256", signed, key, Buffer.from(signature, "base64url"))) {
      throw new InvalidToken("The token has an invalid signature.");
    }
    if (claims.tid !== this.#tenantId) throw new InvalidToken(`The token is of the directory '${claims.tid}'.`);
    return claims;
  }

  async #key(kid: string): Promise<KeyObject | undefined> {
    if (!this.#keys.has(kid)) await this.#fetchKeys();
    return this.#keys.get(kid);
  }

  async #fetchKeys(): Promise<void> {
    const response = await fetch(`${this.#address}/_local/directory`);
    const directory = (await response.json()) as { tenantId: string; keys: (JsonWebKey & { kid: string })[] };
    this.#tenantId = directory.tenantId;
    this.#keys = new Map(directory.keys.map((key) => [key.kid, createPublicKey({ key, format: "jwk" })]));
  }
}

function jsonOf(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Refused below like any other text that is no token.
  }
  throw new InvalidToken("The authorization token is not a JWT.");
}
