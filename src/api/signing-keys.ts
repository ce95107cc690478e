/**
 * The keys that a directory signs tokens with: fetched when the first token comes, kept, and fetched again as they
 * change.
 */
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters, type LocalJWKSet } from "jose";
import { z } from "zod";

const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** How long a request waits for the keys at the most. Milliseconds. */
export const KEYS_TIMEOUT = 3_000;

/** From this age on they are fetched again while the known ones are used. Milliseconds. */
const STALE = 3_600_000;

/** Older ones are not used: keys that a directory has withdrawn must not count for ever. Milliseconds. */
const TOO_OLD = 86_400_000;

/** No caller makes the app ask more often than this, by tokens that name keys which do not exist. Milliseconds. */
const COOLDOWN = 10_000;

/** After a fetch that failed the next one may follow sooner. Milliseconds. */
const RETRY = 2_000;

/** The keys cannot be had, so that it is not known whether a token is valid. */
export class KeysUnavailable extends Error {
  constructor(cause: unknown) {
    super("the signing keys of the directory cannot be had", { cause });
    this.name = "KeysUnavailable";
  }
}

export class SigningKeys {
  readonly #url: string;
  readonly #now: () => number;
  readonly #failed: (error: KeysUnavailable) => void;
  #keys: LocalJWKSet | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failure: KeysUnavailable | undefined;
  #underWay: Promise<LocalJWKSet> | undefined;

  /** `now` in milliseconds; `failed` hears of each fetch that failed. */
  constructor(url: string, now: () => number, failed: (error: KeysUnavailable) => void) {
    this.#url = url;
    this.#now = now;
    this.#failed = failed;
  }

  /** The key that a token names. Throws `KeysUnavailable`, or jose's error if there is no such key. */
  readonly keyFor = async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    const known = await this.#current();
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The directory may sign with a new key.
      const newest = await this.#fetched();
      if (newest === known) throw error;
      return newest(header, token);
    }
  };

  async #current(): Promise<LocalJWKSet> {
    const age = this.#now() - this.#fetchedAt;
    if (this.#keys === undefined || age > TOO_OLD) return this.#fetched();
    if (age > STALE) this.#fetched().catch(() => {});
    return this.#keys;
  }

  /** The keys as they are now, or as the last fetch found them if that was a moment ago: it may have failed. */
  async #fetched(): Promise<LocalJWKSet> {
    const age = this.#now() - this.#triedAt;
    if (this.#underWay === undefined) {
      if (this.#failure !== undefined && age < RETRY) throw this.#failure;
      if (this.#failure === undefined && this.#keys !== undefined && age < COOLDOWN) return this.#keys;
    }
    this.#underWay ??= this.#fetch().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #fetch(): Promise<LocalJWKSet> {
    try {
      const response = await fetch(this.#url, { signal: AbortSignal.timeout(KEYS_TIMEOUT), redirect: "error" });
      if (!response.ok) throw new Error(`the directory answered ${response.status}`);
      this.#keys = createLocalJWKSet(keySet.parse(await response.json()));
      this.#fetchedAt = this.#now();
      this.#failure = undefined;
      return this.#keys;
    } catch (error) {
      this.#failure = new KeysUnavailable(error);
      this.#failed(this.#failure);
      throw this.#failure;
    } finally {
      this.#triedAt = this.#now();
    }
  }
}
