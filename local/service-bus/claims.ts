/** What a connection may do: the tokens that it has put to `$cbs`. */
import { notSupported, unauthorized } from "./errors.ts";
import type { Reply } from "./management.ts";
import type { RequestMessage } from "./rhea-internals.ts";
import { checkToken, pathOfAudience, type SharedAccessKeys } from "./sas.ts";

const SAS_TOKEN_TYPE = "servicebus.windows.net:sastoken";

export class Claims {
  /** Entity paths ("" is the whole namespace), and when the token for them expires. */
  readonly #expiries = new Map<string, number>();
  readonly #keys: SharedAccessKeys;
  readonly #now: () => number;

  constructor(keys: SharedAccessKeys, now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  /** Answers a request to $cbs. Throws amqp:unauthorized-access. */
  putToken({ application_properties: properties = {}, body }: RequestMessage): Reply {
    const { operation, type, name } = properties;
    if (operation !== "put-token") throw notSupported(`Requests of the kind '${operation}'`);
    if (type !== SAS_TOKEN_TYPE) throw unauthorized(`InvalidType: Tokens of type '${type}' are not accepted.`);
    const audience = String(name);
    const expiresAt = checkToken(String(body), audience, this.#keys, this.#now());
    this.#expiries.set(pathOfAudience(audience), expiresAt);
    return { status: 202, description: "Accepted" };
  }

  /** Throws amqp:unauthorized-access if no valid token covers the path. */
  authorize(path: string): void {
    const wanted = path.toLowerCase();
    const now = this.#now();
    for (const [claim, expiresAt] of this.#expiries) {
      if (expiresAt > now && (claim === "" || wanted === claim || wanted.startsWith(`${claim}/`))) return;
    }
    throw unauthorized(
      `Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation. Resource: '${path}'.`,
    );
  }
}
