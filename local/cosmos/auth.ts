import { createHmac, timingSafeEqual } from "node:crypto";
import { InvalidToken, type TokenCheck } from "../identity/token-check.ts";
import { notForIdentities, unauthorized } from "./errors.ts";

/** The well-known key of every Cosmos DB emulator. It protects nothing and is the same everywhere. */
export const KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/** What a request says about itself. `path` is as sent, without the query string. */
export interface Claimed {
  method: string;
  path: string;
  date: string | undefined;
  authorization: string | undefined;
  /** The name and port that the client has sent it to. */
  host: string | undefined;
}

/**
 * Checks who sent a request: by its signature with the account key (HMAC-SHA256 over verb, resource type, resource link
 * and date), or by a token of Microsoft Entra ID. Throws 401. `now` is in milliseconds.
 */
export function checkAuthorization(key: Buffer, request: Claimed, now: number): void {
  const { method, path, date, authorization } = request;
  if (authorization === undefined)
    throw unauthorized("Required Header authorization is missing. Ensure a valid Authorization token is passed.");
  const token = AUTHORIZATION.exec(decoded(authorization));
  if (token?.[1] === "aad" && token[2] !== undefined) {
    checkEntraToken(token[2], request.host, now);
    if (method !== "GET" && !isOfDocuments(path)) throw notForIdentities(method, path);
    return;
  }
  if (token?.[1] !== "master" || token[2] === undefined) {
    throw unauthorized(
      "The authorization token is not supported by the local Cosmos DB server: use the account key or Entra ID.",
    );
  }
  const given = Buffer.from(token[2], "base64");
  const valid = signedResources(path).some(([link, type]) => {
    const text = `${method.toLowerCase()}\n${type}\n${link}\n${(date ?? "").toLowerCase()}\n\n`;
    const expected = createHmac("sha256", key).update(text).digest();
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  if (!valid) {
    throw unauthorized(
      "The input authorization token can't serve the request. The wrong key is being used or the expected payload is " +
        "not built as per the protocol.",
    );
  }
}

const AUTHORIZATION = /^type=(\w+)&ver=1\.0&sig=(.*)$/;

/** Checks who has signed the token of Entra ID that a request brings, if it brings one. Throws 401. */
export async function checkSigner(authorization: string | undefined, tokens: TokenCheck): Promise<void> {
  const [, kind, token] = AUTHORIZATION.exec(decoded(authorization ?? "")) ?? [];
  if (kind !== "aad" || token === undefined) return;
  try {
    await tokens.check(token);
  } catch (error) {
    throw error instanceof InvalidToken ? unauthorized(error.message) : error;
  }
}

const isOfDocuments = (path: string) => /^\/dbs\/[^/]+\/colls\/[^/]+\/./.test(path);

/** Checks that a token is a JWT for this server that is valid now. Who has signed it, `checkSigner` looks at. */
function checkEntraToken(token: string, host: string | undefined, now: number): void {
  const { aud, exp } = claimsOf(token);
  const name = (host ?? "").replace(/:\d+$/, "");
  const audiences = [`https://${name}`, "https://cosmos.azure.com"];
  if (typeof aud !== "string" || !audiences.includes(aud.replace(/(:\d+)?\/?$/, ""))) {
    throw unauthorized(`The token is for '${aud}', not for one of ${audiences.join(", ")}.`);
  }
  if (typeof exp !== "number" || exp * 1000 <= now) throw unauthorized("The token has expired.");
}

function claimsOf(token: string): { aud?: unknown; exp?: unknown } {
  const [, payload = "", signature] = token.split(".");
  try {
    const claims: unknown =
      signature === undefined ? undefined : JSON.parse(Buffer.from(payload, "base64url").toString());
    if (typeof claims === "object" && claims !== null) return claims;
  } catch {
    // Refused below like any other text that is no token.
  }
  throw unauthorized("The authorization token is not a JWT.");
}

const decoded = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
};

/** What the SDKs sign for a path: the link with ids as sent or decoded, and two special cases. */
function signedResources(path: string): [link: string, type: string][] {
  const parts = path.split("/").filter((part) => part !== "");
  const collection = parts.length % 2 === 1;
  const type = ((collection ? parts.at(-1) : parts.at(-2)) ?? "").toLowerCase();
  const link = (collection ? parts.slice(0, -1) : parts).join("/");
  const resources: [string, string][] = [
    [link, type],
    [decoded(link), type],
  ];
  // Deleting a partition is an operation on its container; offers are signed by their lower-case id alone.
  if (parts[4] === "operations") resources.push([decoded(parts.slice(0, 4).join("/")), "colls"]);
  if (parts[0] === "offers") resources.push([(parts[1] ?? "").toLowerCase(), "offers"]);
  return resources;
}
