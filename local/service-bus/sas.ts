/** Shared access signatures: the tokens that a client puts through `$cbs`. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { unauthorized } from "./errors.ts";

/** Key names and their keys. */
export type SharedAccessKeys = Readonly<Record<string, string>>;

/**
 * Checks a token for an audience such as `sb://host/queue`. Returns when it expires (ms). Throws
 * amqp:unauthorized-access. The signature covers the resource as the token spells it, so that it is checked before
 * decoding.
 */
export function checkToken(token: string, audience: string, keys: SharedAccessKeys, now: number): number {
  const [scheme, encoded] = token.split(" ", 2);
  if (scheme !== "SharedAccessSignature" || !encoded) throw unauthorized("InvalidSignature: malformed token.");
  const fields = new Map(encoded.split("&").map((pair) => splitOnce(pair)));
  const resource = fields.get("sr") ?? "";
  const expiry = fields.get("se") ?? "";
  const key = keys[decodeURIComponent(fields.get("skn") ?? "")];
  const given = decodeURIComponent(fields.get("sig") ?? "");
  if (key === undefined || !isSignature(given, key, `${resource}\n${expiry}`)) {
    throw unauthorized("InvalidSignature: The token has an invalid signature.");
  }
  const expiresAt = Number(expiry) * 1000;
  if (!(expiresAt > now)) throw unauthorized("ExpiredToken: The token is expired.");
  if (!covers(decodeURIComponent(resource), audience)) {
    throw unauthorized("InvalidAudience: The token is not valid for this resource.");
  }
  return expiresAt;
}

function splitOnce(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function isSignature(given: string, key: string, text: string): boolean {
  const expected = Buffer.from(createHmac("sha256", key).update(text).digest("base64"));
  const received = Buffer.from(given);
  return expected.length === received.length && timingSafeEqual(expected, received);
}

/**
 * A token for a resource is good for everything below it. Scheme and port do not count: the .NET client signs
 * `amqps://HOST/` for the audience `amqp://HOST:PORT/queue`.
 */
function covers(resource: string, audience: string): boolean {
  const scope = hostAndPath(resource);
  const wanted = hostAndPath(audience);
  return wanted === scope || wanted.startsWith(`${scope}/`);
}

const hostAndPath = (uri: string) =>
  uri
    .toLowerCase()
    .replace(/^[a-z]+:\/\//, "")
    .replace(/^([^/]*):\d+(?=\/|$)/, "$1")
    .replace(/\/$/, "");

/** The entity path of an audience or resource, in lower case: "" is the whole namespace. */
export function pathOfAudience(audience: string): string {
  return audience
    .replace(/^[a-z]+:\/\/[^/]*\/?/i, "")
    .replace(/\/$/, "")
    .toLowerCase();
}
