/** Tokens of a directory whose keys come over a socket, from keys that change, from a directory that is down. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { type IdentityServer, startIdentity } from "../../../local/identity/server.ts";
import { callers, type EntraSettings } from "../../../src/access-settings.ts";
import { Access } from "../../../src/api/auth.ts";
import { issuersOf } from "../../../src/api/entra-tokens.ts";
import type { Log } from "../../../src/log.ts";
import { ApiError } from "../../../src/resources/errors.ts";

const AUDIENCE = "https://cognitiveservices.azure.com";
const CALLER = { clientId: randomUUID() };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A directory, and an app that takes its tokens, with a clock that a test turns. */
async function world(changes: Partial<EntraSettings> = {}) {
  const server = await startIdentity({ tenantId: randomUUID(), secret: "secret" });
  onTestFinished(() => server.stop());
  const entra: EntraSettings = {
    directory: server.directory.tenantId,
    authority: server.authority,
    audiences: [AUDIENCE],
    callers: callers.parse(`acme:app=${CALLER.clientId}`),
    ...changes,
  };
  const clock = { ahead: 0 };
  const lines: string[] = [];
  const log: Log = { info() {}, error() {}, with: () => log, warn: (...line) => lines.push(JSON.stringify(line)) };
  const access = new Access({ apiKeys: [], entra, log, now: () => Date.now() + clock.ahead });
  const status = async (token: string): Promise<number | string> => {
    try {
      return await access.tenantOf(new Headers({ authorization: `Bearer ${token}` }), "azure");
    } catch (error) {
      if (error instanceof ApiError) return error.status;
      throw error;
    }
  };
  return { server, clock, lines, status };
}

const tokenOf = (server: IdentityServer, lifetime = 30 * 24 * 3_600) =>
  server.directory.issue(CALLER, { audience: AUDIENCE, lifetime });

async function keyRequests({ authority }: IdentityServer): Promise<number> {
  return ((await (await fetch(`${authority}/_local/requests`)).json()) as { keys: number }).keys;
}

describe("keys that change", () => {
  test("are fetched once for all tokens, however many come at once", async () => {
    const { server, status } = await world();
    const token = tokenOf(server);
    const tenants = await Promise.all(Array.from({ length: 20 }, () => status(token)));
    expect(new Set(tenants)).toEqual(new Set(["acme"]));
    expect(await keyRequests(server)).toBe(1);
  });

  test("are fetched again when a token names a new one; tokens of the old one are still good", async () => {
    const { server, clock, status } = await world();
    const old = tokenOf(server);
    expect(await status(old)).toBe("acme");
    server.keys.rotate({ withdraw: false });
    const renewed = tokenOf(server);
    // Asked a moment ago: a caller that invents names of keys must not make the app ask each time.
    expect(await status(renewed)).toBe(401);
    expect(await keyRequests(server)).toBe(1);
    clock.ahead += 11_000;
    expect(await status(renewed)).toBe("acme");
    expect(await status(old)).toBe("acme");
    expect(await keyRequests(server)).toBe(2);
  });

  test("count no more, soon after the directory has withdrawn them", async () => {
    const { server, clock, status } = await world();
    const old = tokenOf(server);
    expect(await status(old)).toBe("acme");
    server.keys.rotate({ withdraw: true });
    clock.ahead += HOUR + MINUTE;
    // This one is let in while the keys are fetched again.
    expect(await status(old)).toBe("acme");
    await expect.poll(() => status(old)).toBe(401);
    expect(await status(tokenOf(server))).toBe("acme");
  });
});

describe("a directory in trouble", () => {
  test.each([
    ["answers 500", { status: 500 }],
    ["does not answer", { hang: true }],
  ])("that %s makes the first tokens wait a bounded time and is told as 503, not 401", async (_, keys) => {
    const { server, lines, clock, status } = await world();
    server.behave({ keys });
    expect(await status(tokenOf(server))).toBe(503);
    expect(lines.join()).toContain("the keys to check callers' tokens with could not be fetched");
    // Not asked for each token while it is in trouble.
    expect(await status(tokenOf(server))).toBe(503);
    expect(await keyRequests(server)).toBe(1);
    server.behave({});
    clock.ahead += 11_000;
    expect(await status(tokenOf(server))).toBe("acme");
  });

  test("does not matter to tokens of known keys, for a day", async () => {
    const { server, clock, status } = await world();
    const token = tokenOf(server);
    expect(await status(token)).toBe("acme");
    server.behave({ keys: { status: 503 } });
    for (const ahead of [2 * HOUR, 12 * HOUR, 23 * HOUR]) {
      clock.ahead = ahead;
      expect(await status(token)).toBe("acme");
    }
    clock.ahead = 25 * HOUR;
    await expect.poll(() => status(token)).toBe(503);
    server.behave({});
    clock.ahead += MINUTE;
    expect(await status(token)).toBe("acme");
  });

  test("a token of an unknown key may be good then: 503", async () => {
    const { server, clock, status } = await world();
    expect(await status(tokenOf(server))).toBe("acme");
    server.keys.rotate({ withdraw: false });
    server.behave({ keys: { status: 503 } });
    clock.ahead += MINUTE;
    expect(await status(tokenOf(server))).toBe(503);
  });

  test.each([
    ["no JSON", "<html>"],
    ["no keys", "{}"],
    ["keys of no kind", '{"keys":[{}]}'],
  ])("whose answer is %s is in trouble as well", async (_, body) => {
    const odd = createServer((_request, response) => response.end(body));
    await new Promise<void>((resolve) => odd.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void odd.close());
    const { port } = odd.address() as { port: number };
    const { server, status } = await world({ authority: `http://127.0.0.1:${port}` });
    expect(await status(tokenOf(server))).toBe(503);
  });
});

describe("times", () => {
  test.each([
    ["59 s after its end", 3_600 + 59, "acme"],
    ["61 s after its end", 3_600 + 61, 401],
    ["59 s before its beginning", -300 - 58, "acme"],
    ["62 s before its beginning", -300 - 62, 401],
  ])("a token is looked at %s", async (_, seconds, expected) => {
    const { server, clock, status } = await world();
    const token = tokenOf(server, 3_600);
    clock.ahead = seconds * 1_000;
    expect(await status(token)).toBe(expected);
  });
});

test.each([
  ["https://login.microsoftonline.com", "https://sts.windows.net/d/"],
  ["https://login.microsoftonline.us", "https://sts.windows.net/d/"],
  ["https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn/d/"],
  ["https://login.chinacloudapi.cn", "https://sts.chinacloudapi.cn/d/"],
  ["https://login.microsoftonline.cn.example.org", "https://sts.windows.net/d/"],
])("tokens of %s name that in the newer form, and %s in the older one", (authority, older) => {
  expect(issuersOf({ authority, directory: "d" })).toEqual([`${authority}/d/v2.0`, older]);
});

test("whatever stands in the place of a token is refused, and nothing breaks", async () => {
  const { server, status } = await world();
  const [header = "", claims = "", signature = ""] = tokenOf(server).split(".");
  expect(await status(`${header}.${claims}.${signature}`)).toBe("acme");
  const json = fc.json().map((text) => Buffer.from(text).toString("base64url"));
  const noise = fc.base64String().map((text) => text.replaceAll(/[^\w]/g, "_"));
  const object = fc
    .dictionary(fc.constantFrom("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "zip"), fc.jsonValue())
    .map((value) => Buffer.from(JSON.stringify({ alg: "RS256", ...value })).toString("base64url"));
  const part = (good: string) => fc.oneof(fc.constant(good), json, noise, object);
  await fc.assert(
    fc.asyncProperty(part(header), part(claims), part(signature), async (...parts) => {
      fc.pre(parts.join() !== [header, claims, signature].join());
      expect(await status(parts.join("."))).toBe(401);
    }),
    { numRuns: 300 },
  );
});

describe("the log", () => {
  test("says why a token was refused, once a minute, and nothing of the token", async () => {
    const { server, clock, lines, status } = await world();
    const other = server.directory.issue(CALLER, { audience: "https://graph.microsoft.com", lifetime: 60 });
    for (let n = 0; n < 5; n++) await status(other);
    expect(lines).toEqual(['["a caller\'s token was refused",{"reason":"it is for https://graph.microsoft.com"}]']);
    clock.ahead += MINUTE;
    await status(other);
    expect(lines[1]).toContain('"leftOut":4');
  });

  test("tells the ids of a caller that has no tenant", async () => {
    const { server, lines, status } = await world({ callers: [] });
    expect(await status(tokenOf(server))).toBe(401);
    expect(lines.join()).toContain(`"app":"${CALLER.clientId}"`);
  });
});
