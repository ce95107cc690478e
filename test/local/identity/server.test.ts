/** The identity endpoint as App Service documents it, and as the real library uses it. */
import { randomUUID } from "node:crypto";
import { DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type IdentityServer, startIdentity } from "../../../local/identity/server.ts";
import { objectIdOf } from "../../../local/identity/tokens.ts";

const SYSTEM = randomUUID();
const USER = randomUUID();
let server: IdentityServer;

beforeAll(async () => {
  server = await startIdentity({ tenantId: randomUUID(), secret: "s", systemAssigned: SYSTEM, userAssigned: [USER] });
  process.env.IDENTITY_ENDPOINT = `${server.authority}/msi/token`;
  process.env.IDENTITY_HEADER = "s";
});

afterAll(() => server?.stop());

const RESOURCE = "https://vault.azure.net";

async function ask(query: Record<string, string>, header = "s") {
  const url = `${server.authority}/msi/token?${new URLSearchParams(query)}`;
  const response = await fetch(url, { headers: { "X-IDENTITY-HEADER": header } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const claimsOf = (token: unknown) =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

test("a token comes with its end in seconds as text, its resource and the identity's client id", async () => {
  const { status, body } = await ask({ "api-version": "2019-08-01", resource: RESOURCE, client_id: USER });
  expect(status).toBe(200);
  expect(body).toEqual({
    access_token: expect.any(String),
    expires_on: expect.stringMatching(/^\d{10}$/),
    resource: RESOURCE,
    token_type: "Bearer",
    client_id: USER,
  });
  expect(claimsOf(body.access_token)).toMatchObject({
    aud: RESOURCE,
    appid: USER,
    oid: objectIdOf(USER),
    idtyp: "app",
  });
});

test.each([
  ["another api-version", { "api-version": "2018-02-01", resource: RESOURCE }, 400],
  ["no resource", { "api-version": "2019-08-01" }, 400],
  ["an identity that the app does not have", { "api-version": "2019-08-01", resource: "r", client_id: SYSTEM }, 400],
  ["an identity by its resource id", { "api-version": "2019-08-01", resource: "r", mi_res_id: "/x" }, 400],
])("%s is refused", async (_, query, status) => {
  const answer = await ask(query as Record<string, string>);
  expect(answer).toMatchObject({ status, body: { statusCode: status, message: expect.any(String) } });
});

test("a wrong header is refused", async () => {
  expect((await ask({ "api-version": "2019-08-01", resource: RESOURCE }, "wrong")).status).toBe(401);
});

test.each([
  ["system-assigned", new ManagedIdentityCredential(), SYSTEM],
  ["user-assigned", new ManagedIdentityCredential({ clientId: USER }), USER],
])("the library gets tokens of the %s identity", async (_, credential, clientId) => {
  const { token, expiresOnTimestamp } = await credential.getToken(`${RESOURCE}/.default`);
  expect(claimsOf(token)).toMatchObject({ appid: clientId, aud: RESOURCE, tid: server.directory.tenantId });
  expect(expiresOnTimestamp).toBeGreaterThan(Date.now() + 80_000_000);
});

test("the library's default credential finds the endpoint", async () => {
  const { token } = await new DefaultAzureCredential({ managedIdentityClientId: USER }).getToken("api://x/.default");
  expect(claimsOf(token)).toMatchObject({ appid: USER, aud: "api://x" });
});

test("the directory publishes its keys where Entra ID does, and rotates them", async () => {
  const base = `${server.authority}/${server.directory.tenantId}`;
  const configuration = async (path: string) =>
    (await (await fetch(`${base}${path}`)).json()) as Record<string, string>;
  const { issuer, jwks_uri: keys = "" } = await configuration("/v2.0/.well-known/openid-configuration");
  expect(issuer).toBe(`${base}/v2.0`);
  const older = await configuration("/.well-known/openid-configuration");
  expect(older.issuer).toBe(`https://sts.windows.net/${server.directory.tenantId}/`);
  const published = async () => ((await (await fetch(keys)).json()) as { keys: { kid: string }[] }).keys;
  const [first] = await published();
  server.keys.rotate({ withdraw: false });
  expect((await published()).map(({ kid }) => kid)).toEqual([expect.not.stringMatching(`^${first?.kid}$`), first?.kid]);
  server.keys.rotate({ withdraw: true });
  expect(await published()).toHaveLength(1);
});
