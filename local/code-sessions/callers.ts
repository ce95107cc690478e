/** Who may use the pool: who has its key, or a token of the local directory for this service. */
import { timingSafeEqual } from "node:crypto";
import { InvalidToken, TokenCheck } from "../identity/token-check.ts";
import { unauthorized } from "./errors.ts";

/** What identities' tokens for sessions are for. */
const AUDIENCE = "https://dynamicsessions.io";

export class Callers {
  readonly #key: string;
  readonly #tokens: TokenCheck | undefined;

  /** `issuer`: the address of the local identity server, if there is one. */
  constructor(key: string, issuer: string | undefined) {
    this.#key = key;
    this.#tokens = issuer === undefined ? undefined : new TokenCheck(issuer);
  }

  /** Throws 401. `header`: Authorization. */
  async check(header = ""): Promise<void> {
    const token = /^Bearer (\S+)$/i.exec(header)?.[1] ?? "";
    if (isSame(token, this.#key)) return;
    if (this.#tokens === undefined || !(await isValid(token, this.#tokens))) throw unauthorized();
  }
}

async function isValid(token: string, tokens: TokenCheck): Promise<boolean> {
  try {
    const { aud, exp } = await tokens.check(token);
    return aud === AUDIENCE && typeof exp === "number" && exp * 1000 > Date.now();
  } catch (error) {
    if (error instanceof InvalidToken) return false;
    throw error;
  }
}

function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}
