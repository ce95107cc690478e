/** From an access token of Microsoft Entra ID to its caller's tenant, or to the refusal that the caller gets. */
import type { EntraSettings } from "../access-settings.ts";
import type { Log } from "../log.ts";
import { invalidToken, tokensUncheckable, unknownCaller } from "../resources/errors.ts";
import { type Claims, describeCaller, tenantOfCaller } from "./callers.ts";
import { EntraTokens, TokenRefused } from "./entra-tokens.ts";
import { RareLog } from "./rare-log.ts";
import { KeysUnavailable } from "./signing-keys.ts";

/** After which a client may ask again when tokens cannot be checked. Seconds. */
const RETRY_AFTER = 5;

export class EntraCallers {
  readonly #settings: EntraSettings;
  readonly #tokens: EntraTokens;
  readonly #log: RareLog;

  /** `now` in milliseconds since 1970. */
  constructor(settings: EntraSettings, log: Log, now: () => number) {
    this.#settings = settings;
    this.#log = new RareLog(log, now);
    this.#tokens = new EntraTokens(settings, now, (error) =>
      this.#log.warn("the keys to check callers' tokens with could not be fetched", { error }),
    );
  }

  /** Throws an `ApiError`: 401, or 503 if the token cannot be checked now. */
  async tenantOf(token: string, face: "azure" | "openai"): Promise<string> {
    const claims = await this.#check(token, face);
    const tenant = tenantOfCaller(claims, this.#settings.callers);
    if (tenant !== undefined) return tenant;
    this.#log.warn("a caller with a valid token belongs to no tenant: see CALLERS", describeCaller(claims));
    throw unknownCaller(face === "azure");
  }

  async #check(token: string, face: "azure" | "openai"): Promise<Claims> {
    try {
      return await this.#tokens.check(token);
    } catch (error) {
      if (error instanceof KeysUnavailable) throw tokensUncheckable(RETRY_AFTER);
      if (!(error instanceof TokenRefused)) throw error;
      this.#log.warn("a caller's token was refused", { reason: error.message });
      throw invalidToken(this.#settings.audiences[0] ?? "", face === "azure");
    }
  }
}
