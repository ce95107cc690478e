/** What a connection may do: the tokens that it has put to `$cbs`. */

import { InvalidToken, type TokenCheck } from "../identity/token-check.ts";
import type { Clock, Deadline } from "./clock.ts";
import { notSupported, unauthorized } from "./errors.ts";
import type { Reply } from "./management.ts";
import type { RequestMessage } from "./rhea-internals.ts";
import { checkToken, pathOfAudience, type SharedAccessKeys } from "./sas.ts";

const SAS_TOKEN_TYPE = "servicebus.windows.net:sastoken";
const ENTRA_TOKEN_TYPE = "jwt";

/** What tokens of identities are for, wherever the namespace is. */
const ENTRA_AUDIENCE = "https://servicebus.azure.net";

export interface ClaimsOptions {
  keys: SharedAccessKeys;
  /** Checks who has signed identities' tokens; undefined refuses these tokens. */
  tokens: TokenCheck | undefined;
  clock: Clock;
  /** Called when a token has expired that was not replaced by then. */
  expired: () => void;
}

export class Claims {
  /** Entity paths ("" is the whole namespace), and when the token for them expires. */
  readonly #expiries = new Map<string, Deadline>();
  readonly #options: ClaimsOptions;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Answers a request to $cbs. Throws amqp:unauthorized-access. */
  async putToken({ application_properties: properties = {}, body }: RequestMessage): Promise<Reply> {
    const { operation, type, name } = properties;
    if (operation !== "put-token") throw notSupported(`Requests of the kind '${operation}'`);
    const audience = String(name);
    const expiresAt = await this.#check(String(type), String(body), audience);
    const { clock, expired } = this.#options;
    const path = pathOfAudience(audience);
    clock.cancel(this.#expiries.get(path));
    this.#expiries.set(path, clock.at(expiresAt, expired));
    return { status: 202, description: "Accepted" };
  }

  /** The connection is closed. */
  forget(): void {
    for (const deadline of this.#expiries.values()) this.#options.clock.cancel(deadline);
    this.#expiries.clear();
  }

  async #check(type: string, token: string, audience: string): Promise<number> {
    const { keys, tokens, clock } = this.#options;
    if (type === SAS_TOKEN_TYPE) return checkToken(token, audience, keys, clock.now());
    if (type !== ENTRA_TOKEN_TYPE || tokens === undefined) {
      throw unauthorized(`InvalidType: Tokens of type '${type}' are not accepted.`);
    }
    const { aud, exp } = await signedClaims(token, tokens);
    if (typeof aud !== "string" || aud.replace(/\/$/, "") !== ENTRA_AUDIENCE) {
      throw unauthorized(`InvalidAudience: The token is for '${aud}', not for ${ENTRA_AUDIENCE}.`);
    }
    const expiresAt = Number(exp) * 1000;
    if (!(expiresAt > clock.now())) throw unauthorized("ExpiredToken: The token is expired.");
    return expiresAt;
  }

  /** Throws amqp:unauthorized-access if no valid token covers the path. */
  authorize(path: string): void {
    const wanted = path.toLowerCase();
    const now = this.#options.clock.now();
    for (const [claim, { at }] of this.#expiries) {
      if (at > now && (claim === "" || wanted === claim || wanted.startsWith(`${claim}/`))) return;
    }
    throw unauthorized(
      `Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation. Resource: '${path}'.`,
    );
  }
}

async function signedClaims(token: string, tokens: TokenCheck): Promise<Record<string, unknown>> {
  try {
    return await tokens.check(token);
  } catch (error) {
    throw error instanceof InvalidToken ? unauthorized(`InvalidSignature: ${error.message}`) : error;
  }
}
