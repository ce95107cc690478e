import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CosmosClient } from "@azure/cosmos";
import { afterEach, describe, expect, test } from "vitest";
import { type CosmosOptions, type CosmosServer, KEY, startCosmos } from "../../../local/cosmos/server.ts";
import { startIdentity } from "../../../local/identity/server.ts";
import { end, MAIN, startProcess } from "./process.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function server(options: CosmosOptions = {}): Promise<CosmosServer> {
  const started = await startCosmos(options);
  open.push(() => started.stop());
  return started;
}

/** A client with nothing switched off: what an app in Azure has. */
function clientOf(endpoint: string, certificate?: string): CosmosClient {
  const agent = certificate === undefined ? {} : { agent: new Agent({ ca: certificate, keepAlive: true }) };
  const client = new CosmosClient({ endpoint, key: KEY, ...agent });
  open.push(() => client.dispose());
  return client;
}

async function itemOf(client: CosmosClient) {
  const { database } = await client.databases.createIfNotExists({ id: "d" });
  const { container } = await database.containers.createIfNotExists({ id: "c", partitionKey: { paths: ["/pk"] } });
  await container.items.upsert({ id: "a", pk: "p" });
  return container.item("a", "p");
}

describe("endpoint discovery", () => {
  test("uses the locations that the account reports, and reads them once", async () => {
    const { endpoint, ...running } = await server({ account: "mine", region: "West Europe" });
    const client = clientOf(endpoint);
    const { resource } = await client.getDatabaseAccount();
    expect(resource?.readableLocations).toEqual([{ name: "West Europe", databaseAccountEndpoint: `${endpoint}/` }]);
    const item = await itemOf(client);
    running.resetStats();
    for (let i = 0; i < 3; i++) expect((await item.read()).statusCode).toBe(200);
    expect(running.stats().operations).toEqual({ read: { count: 3, charge: 6, failed: 0 } });
  });

  test("retries by the SDK's own rules: 403/3 on a write is sent again, after the account was read", async () => {
    const running = await server();
    const item = await itemOf(clientOf(running.endpoint));
    running.setFaults([{ fault: "403-3", operations: ["delete"], times: 1 }]);
    running.resetStats();
    expect((await item.delete()).statusCode).toBe(204);
    expect(running.stats().operations).toMatchObject({ delete: { count: 2, failed: 1 }, metadata: { count: 1 } });
  });
});

describe("https", () => {
  test("is served with a certificate of the server's own, which a client must be told to trust", async () => {
    const running = await server({ https: true });
    expect(running.endpoint).toMatch(/^https:/);
    const item = await itemOf(clientOf(running.endpoint, running.certificate));
    expect((await item.read()).statusCode).toBe(200);
    await expect(fetch(running.endpoint)).rejects.toThrow();
  });
});

describe("an identity of Entra ID", () => {
  const jwt = (claims: object) =>
    ["{}", JSON.stringify(claims), "signature"].map((part) => Buffer.from(part).toString("base64url")).join(".");

  /** The database account as a client reads it that has this token; with what it asked a token for. */
  async function accountWith({ endpoint, certificate }: CosmosServer, token: string, scopes: unknown[] = []) {
    const client = new CosmosClient({
      endpoint,
      agent: new Agent({ ca: certificate }),
      aadCredentials: {
        getToken: async (scope) => {
          scopes.push(scope);
          return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
        },
      },
    });
    open.push(() => client.dispose());
    await client.getDatabaseAccount();
    return client;
  }

  const soon = Math.floor(Date.now() / 1000) + 3600;

  test("is let in with a token for this server that is valid now, over https", async () => {
    const running = await server({ https: true });
    const scopes: unknown[] = [];
    await accountWith(running, jwt({ aud: running.endpoint, exp: soon }), scopes);
    expect(scopes.flat()).toContain(`${running.endpoint}/.default`);
    for (const wrong of [{ aud: "https://vault.azure.net", exp: soon }, { aud: "https://127.0.0.1", exp: 1 }, {}]) {
      await expect(accountWith(running, jwt(wrong))).rejects.toMatchObject({ code: 401 });
    }
  });

  test("is refused unless the directory has signed its token, where the server knows one", async () => {
    const directory = await startIdentity({ tenantId: "d", secret: "s" });
    open.push(() => directory.stop());
    const running = await server({ https: true, issuer: directory.authority });
    const claims = directory.directory.claims({ clientId: "app" }, { audience: running.endpoint, lifetime: 60 });
    await accountWith(running, directory.keys.sign(claims));
    directory.keys.rotate({ withdraw: false });
    await accountWith(running, directory.keys.sign(claims));
    const [header, payload] = directory.keys.sign(claims).split(".");
    for (const wrong of [jwt(claims), `${header}.${payload}.AAAA`, directory.keys.sign({ ...claims, tid: "other" })]) {
      await expect(accountWith(running, wrong)).rejects.toMatchObject({ code: 401 });
    }
  });

  test("may read and write documents, and create no database, container or throughput", async () => {
    const running = await server({ https: true });
    await itemOf(clientOf(running.endpoint, running.certificate));
    const client = await accountWith(running, jwt({ aud: running.endpoint, exp: soon }));
    const container = client.database("d").container("c");
    expect((await container.items.upsert({ id: "b", pk: "p" })).statusCode).toBe(201);
    expect((await container.items.query("SELECT * FROM c", { partitionKey: "p" }).fetchAll()).resources).toHaveLength(
      2,
    );
    const forbidden = { code: 403, substatus: 5300 };
    await expect(client.databases.create({ id: "e" })).rejects.toMatchObject(forbidden);
    await expect(client.database("d").containers.create({ id: "e" })).rejects.toMatchObject(forbidden);
    await expect(container.delete()).rejects.toMatchObject(forbidden);
  });
});

describe("the command line", () => {
  test("sets partitions, consistency and throughput, and writes the certificate", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cosmos-test-"));
    open.push(() => rm(folder, { recursive: true }));
    const certificate = join(folder, "certificate.pem");
    const started = await startProcess(
      ...["--port", "0", "--partitions", "3", "--consistency", "session", "--lag", "40", "--autoscale", "4000"],
      ...["--https", "--certificate", certificate],
    );
    open.push(() => end(started, "SIGTERM"));
    const client = clientOf(started.endpoint, await readFile(certificate, "utf8"));
    expect((await client.getDatabaseAccount()).resource?.consistencyPolicy).toBe("Session");
    await itemOf(client);
    const container = client.database("d").container("c");
    expect((await container.readPartitionKeyRanges().fetchAll()).resources).toHaveLength(3);
    expect((await container.readOffer()).resource?.content?.offerAutopilotSettings).toEqual({ maxThroughput: 4000 });
  });

  test("explains itself, and names what is wrong", async () => {
    const run = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);
    expect((await run("--help")).stdout).toContain("--partitions");
    for (const args of [
      ["--consistency", "linear"],
      ["--lag", "x"],
    ]) {
      await expect(run(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("cosmos: ") });
    }
  });
});
