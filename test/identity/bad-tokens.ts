/** Tokens that are wrong in one thing each. */
import { createHmac, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { CALLERS, type Directory } from "./world.ts";

export interface BadToken {
  what: string;
  token: string;
}

const HOUR = 3_600;

/** Each is made from a good token of a caller that has a tenant. */
export async function badTokens(directory: Directory): Promise<BadToken[]> {
  const good = directory.claims(CALLERS.service);
  const now = Math.floor(Date.now() / 1000);
  const claims: [what: string, changes: Record<string, unknown>][] = [
    ["has expired", { exp: now - 120 }],
    ["is not valid yet", { nbf: now + 120 }],
    ["tells no end", { exp: undefined }],
    ["tells no beginning", { nbf: undefined }],
    ["tells not when it was made", { iat: undefined }],
    ["tells its end in words", { exp: "tomorrow" }],
    ["tells its end as text", { exp: String(now + HOUR) }],
    ["is for another resource", { aud: "https://graph.microsoft.com" }],
    ["is for a resource that begins in the same way", { aud: "https://cognitiveservices.azure.com.example.org" }],
    ["is for a path of the resource", { aud: "https://cognitiveservices.azure.com/other" }],
    ["is for no resource", { aud: undefined }],
    ["is for several resources", { aud: ["https://cognitiveservices.azure.com", "https://graph.microsoft.com"] }],
    ["is of another directory by its issuer", { iss: `https://sts.windows.net/${randomUUID()}/` }],
    ["is of another directory by its tid", { tid: randomUUID() }],
    ["is of another directory altogether", otherDirectory()],
    ["tells no issuer", { iss: undefined }],
    ["tells no directory", { tid: undefined }],
    ["is of an issuer whose name begins in the same way", { iss: `${good.iss}more` }],
    ["is an id token", { appid: undefined, idtyp: undefined }],
    ["is bound to a key", { cnf: { kid: "k" } }],
  ];
  const header: [what: string, changes: object][] = [
    ["is signed with a key that was never published", { kid: randomUUID() }],
    ["names no key and another algorithm", { kid: undefined, alg: "ES256" }],
    ["needs an extension that the app does not know", { crit: ["exotic"], exotic: true }],
  ];
  const signed = [
    ...claims.map(async ([what, changes]) => ({ what, token: await directory.sign({ ...good, ...changes }) })),
    ...header.map(async ([what, changes]) => ({ what, token: await directory.sign(good, changes) })),
  ];
  return [...(await Promise.all(signed)), ...forged(await directory.sign(good))];
}

function otherDirectory() {
  const id = randomUUID();
  return { tid: id, iss: `https://sts.windows.net/${id}/` };
}

/** What can be made of a good token without the directory's key. */
function forged(token: string): BadToken[] {
  const [header = "", claims = "", signature = ""] = token.split(".");
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string };
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const own = `${encoded({ alg: "RS256", kid })}.${claims}`;
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "own" };
  const embedded = `${encoded({ alg: "RS256", kid: "own", jwk })}.${claims}`;
  const secret = `${encoded({ alg: "HS256", kid })}.${claims}`;
  const sign = (text: string) => createSign("sha256").update(text).sign(privateKey, "base64url");
  const altered = encoded({ ...(JSON.parse(Buffer.from(claims, "base64url").toString()) as object), roles: ["Admin"] });
  return [
    { what: "has no signature and says so", token: `${encoded({ alg: "none" })}.${claims}.` },
    { what: "has lost its signature", token: `${header}.${claims}.` },
    { what: "has other claims than were signed", token: `${header}.${altered}.${signature}` },
    { what: "has a signature of zeros", token: `${header}.${claims}.${"A".repeat(signature.length)}` },
    { what: "is signed with another key under the same name", token: `${own}.${sign(own)}` },
    { what: "brings its own key", token: `${embedded}.${sign(embedded)}` },
    {
      what: "is signed with a public thing as a secret",
      token: `${secret}.${createHmac("sha256", kid).update(secret).digest("base64url")}`,
    },
    { what: "has claims that are no JSON", token: `${header}.bm90IGpzb24.${signature}` },
    { what: "has a header that is no JSON", token: `bm90IGpzb24.${claims}.${signature}` },
    { what: "is three words with dots", token: "three.short.words" },
  ];
}
