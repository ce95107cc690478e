/** Access tokens with the claims that Entra ID gives them. */
import { createHash, randomUUID } from "node:crypto";
import type { SigningKeys } from "./signing-keys.ts";

/** Who gets a token: an application or managed identity for itself, or a user who signed in to an application. */
export interface Principal {
  clientId: string;
  /** Of the service principal, or of the user; made from the client id if it is not given. */
  objectId?: string | undefined;
  /** Present for users. */
  scopes?: string | undefined;
  roles?: string[] | undefined;
  groups?: string[] | undefined;
}

export interface TokenOptions {
  audience: string;
  /** Seconds from now on; may be negative. */
  lifetime: number;
  /** Which form; the resource decides it in Entra ID. Those of Azure have the first. */
  version?: 1 | 2;
}

/** Entra ID dates tokens back by this. Seconds. */
const BACKDATED = 300;

export class LocalDirectory {
  readonly tenantId: string;
  readonly #authority: () => string;
  readonly #keys: SigningKeys;

  /** `authority`: the server's own address, known once it listens. */
  constructor(tenantId: string, keys: SigningKeys, authority: () => string) {
    this.tenantId = tenantId;
    this.#keys = keys;
    this.#authority = authority;
  }

  issue(principal: Principal, options: TokenOptions): string {
    return this.#keys.sign(this.claims(principal, options));
  }

  claims(principal: Principal, { audience, lifetime, version = 1 }: TokenOptions): Record<string, unknown> {
    const { clientId, roles, groups, scopes } = principal;
    const objectId = principal.objectId ?? objectIdOf(clientId);
    const now = Math.floor(Date.now() / 1000);
    const start = Math.min(now, now + lifetime) - BACKDATED;
    const isUser = scopes !== undefined;
    return {
      aud: audience,
      iss: this.issuer(version),
      iat: start,
      nbf: start,
      exp: now + lifetime,
      ...(version === 1 ? { appid: clientId, appidacr: isUser ? "0" : "2" } : { azp: clientId, azpacr: "2" }),
      idtyp: isUser ? "user" : "app",
      oid: objectId,
      sub: isUser ? createHash("sha256").update(`${objectId}/${audience}`).digest("base64url") : objectId,
      tid: this.tenantId,
      uti: randomUUID(),
      ver: `${version}.0`,
      ...(isUser && { scp: scopes }),
      ...(roles && { roles }),
      ...(groups && { groups }),
    };
  }

  issuer(version: 1 | 2): string {
    return version === 1 ? `https://sts.windows.net/${this.tenantId}/` : `${this.#authority()}/${this.tenantId}/v2.0`;
  }
}

/** A GUID that is always the same for this client id. */
export function objectIdOf(clientId: string): string {
  const hex = createHash("sha256").update(clientId.toLowerCase()).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}
