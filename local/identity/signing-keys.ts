/** The keys that the local directory signs tokens with. */
import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";

interface SigningKey {
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

const MODULUS = 2048;

export class SigningKeys {
  /** The first one signs; the others are published still. */
  #keys: SigningKey[] = [newKey()];

  /** A token with this header (besides `alg`, `typ` and `kid`, which it may replace) and these claims. */
  sign(claims: object, header: object = {}): string {
    const [{ kid, privateKey } = newKey()] = this.#keys;
    const signed = [{ typ: "JWT", alg: "RS256", kid, ...header }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${signed}.${createSign("sha256").update(signed).sign(privateKey, "base64url")}`;
  }

  /** From now on another key signs. The earlier ones are published on, or withdrawn. */
  rotate({ withdraw }: { withdraw: boolean }): void {
    this.#keys = [newKey(), ...(withdraw ? [] : this.#keys)];
  }

  /** As Entra ID publishes them: without `alg`. */
  get published(): object[] {
    return this.#keys.map(({ kid, publicKey }) => {
      const { kty, n, e } = publicKey.export({ format: "jwk" });
      return { kty, use: "sig", kid, x5t: kid, n, e };
    });
  }
}

function newKey(): SigningKey {
  const kid = randomBytes(20).toString("base64url");
  return { kid, ...generateKeyPairSync("rsa", { modulusLength: MODULUS }) };
}
