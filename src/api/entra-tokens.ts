/** Checks access tokens of Microsoft Entra ID. Signatures are verified by WebCrypto, in threads of its own. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { type EntraSettings, plainAudience } from "../access-settings.ts";
import { type Claims, clientOf } from "./callers.ts";
import { type KeysUnavailable, SigningKeys } from "./signing-keys.ts";

/** How far the clocks of the directory and of this instance may differ. Seconds. */
const CLOCK_TOLERANCE = 60;

/** Entra ID signs with RSA keys. A token must not choose anything weaker: no secrets, no "none". */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/** The older form of tokens names another issuer than the authority; in China's cloud, one of its own. */
const CHINA = /(^|\.)(microsoftonline|chinacloudapi)\.cn$/;
const STS = "https://sts.windows.net";
const STS_CHINA = "https://sts.chinacloudapi.cn";

/** The token is not valid here. The message says why, without anything of the token but its claims. */
export class TokenRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "TokenRefused";
  }
}

export class EntraTokens {
  readonly #settings: EntraSettings;
  readonly #keys: SigningKeys;
  readonly #issuers: string[];
  readonly #now: () => number;

  /** `now` in milliseconds; `failed` hears when the directory's keys could not be fetched. */
  constructor(settings: EntraSettings, now: () => number, failed: (error: KeysUnavailable) => void) {
    const { authority, directory } = settings;
    this.#settings = settings;
    this.#now = now;
    this.#issuers = issuersOf(settings);
    this.#keys = new SigningKeys(`${authority}/${directory}/discovery/v2.0/keys`, now, failed);
  }

  /** The claims of a valid token. Throws `TokenRefused` or `KeysUnavailable`. */
  async check(token: string): Promise<Claims> {
    const claims = await this.#verified(token);
    const { aud, tid, cnf } = claims;
    if (tid !== this.#settings.directory) throw new TokenRefused(`it is of the directory ${told(tid)}`);
    if (typeof aud !== "string" || !this.#settings.audiences.includes(plainAudience(aud))) {
      throw new TokenRefused(`it is for ${told(aud)}`);
    }
    if (typeof clientOf(claims) !== "string") throw new TokenRefused("it is no access token");
    // A caller with such a token has to prove that it has the key, which only HTTP signatures could do.
    if (cnf !== undefined) throw new TokenRefused("it is bound to a key of its owner");
    return claims;
  }

  async #verified(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.#keys.keyFor, {
        algorithms: ALGORITHMS,
        issuer: this.#issuers,
        clockTolerance: CLOCK_TOLERANCE,
        currentDate: new Date(this.#now()),
        requiredClaims: ["exp", "nbf", "iat"],
      });
      return payload;
    } catch (error) {
      throw error instanceof errors.JOSEError ? new TokenRefused(reasonOf(error)) : error;
    }
  }
}

/** Of both forms of tokens: the resource decides which form its tokens have, not the caller. */
export function issuersOf({ authority, directory }: Pick<EntraSettings, "authority" | "directory">): string[] {
  const sts = CHINA.test(new URL(authority).hostname) ? STS_CHINA : STS;
  return [`${authority}/${directory}/v2.0`, `${sts}/${directory}/`];
}

/** jose's texts about claims name the claim; about anything else its code says enough. */
const reasonOf = (error: errors.JOSEError) => ("claim" in error ? error.message : error.code);

const LONGEST_TOLD = 100;
const told = (claim: unknown) => (typeof claim === "string" ? claim.slice(0, LONGEST_TOLD) : typeof claim);
