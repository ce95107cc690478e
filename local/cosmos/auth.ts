import { createHmac, timingSafeEqual } from "node:crypto";
import { unauthorized } from "./errors.ts";

/** The well-known key of every Cosmos DB emulator. It protects nothing and is the same everywhere. */
export const KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/**
 * Checks the signature of a request: HMAC-SHA256 over verb, resource type, resource link and date. Throws 401.
 * `path` is as sent, without the query string.
 */
export function checkSignature(
  key: Buffer,
  request: { method: string; path: string; date: string | undefined; authorization: string | undefined },
): void {
  const { method, path, date, authorization } = request;
  if (authorization === undefined)
    throw unauthorized("Required Header authorization is missing. Ensure a valid Authorization token is passed.");
  const token = /^type=(\w+)&ver=1\.0&sig=(.*)$/.exec(decoded(authorization));
  if (token?.[1] !== "master" || token[2] === undefined) {
    throw unauthorized("The authorization token is not supported by the local Cosmos DB server: use the account key.");
  }
  const given = Buffer.from(token[2], "base64");
  const valid = signedResources(path).some(([link, type]) => {
    const text = `${method.toLowerCase()}\n${type}\n${link}\n${(date ?? "").toLowerCase()}\n\n`;
    const expected = createHmac("sha256", key).update(text).digest();
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  if (!valid) {
    throw unauthorized(
      "The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol.",
    );
  }
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
