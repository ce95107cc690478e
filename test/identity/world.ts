/** A running app without any key, the local directory that its callers have tokens of, and the callers. */
import { randomUUID } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import { CosmosClient } from "@azure/cosmos";
import { DefaultAzureCredential } from "@azure/identity";
import { selfSigned } from "../../local/certificate.ts";
import { Child } from "../../local/child.ts";
import { objectIdOf, type Principal } from "../../local/identity/tokens.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { createContainers } from "../../src/store/containers.ts";
import { buildIfStale, PROJECT } from "../e2e/build.ts";
import { trust } from "../lib/trust.ts";

export const AZURE_OPENAI = "https://cognitiveservices.azure.com";
export const FOUNDRY = "https://ai.azure.com";

/** Who calls, each for a tenant of their own by another kind of entry in CALLERS. */
export const CALLERS = {
  /** a service with a managed identity, by its client id */
  service: { clientId: randomUUID() },
  /** a service that has an app role */
  worker: { clientId: randomUUID(), roles: ["Threadkeep.Worker"] },
  /** a user, by a group */
  member: { clientId: randomUUID(), objectId: randomUUID(), scopes: "user_impersonation", groups: [randomUUID()] },
  /** a user, by the object id */
  user: { clientId: randomUUID(), objectId: randomUUID(), scopes: "user_impersonation" },
  /** an identity of the same directory that no entry names */
  stranger: { clientId: randomUUID() },
} satisfies Record<string, Principal>;

const RULES = [
  `services:app=${CALLERS.service.clientId}`,
  "workers:role=Threadkeep.Worker",
  `members:group=${CALLERS.member.groups[0]}`,
  `users:subject=${CALLERS.user.objectId.toUpperCase()}`,
];

export type KeylessStack = Stack & Required<Pick<Stack, "identity">>;

/** The app's own identity is user-assigned; the service's is another one at the same endpoint. */
export async function startKeyless(env: Record<string, string> = {}): Promise<KeylessStack> {
  buildIfStale();
  const stack = await startStack({
    identity: { userAssigned: [randomUUID(), CALLERS.service.clientId] },
    env: { CALLERS: RULES.join(), ...env },
    log: process.env.IDENTITY_LOG ?? "quiet",
    prepare: async ({ cosmos: { endpoint, key, certificate } }) => {
      trust(certificate);
      const cosmos = new CosmosClient({ endpoint, key });
      await createContainers(cosmos.database("threadkeep"));
      cosmos.dispose();
    },
  });
  const { identity } = stack;
  if (identity === undefined) throw new Error("The stack has no identity server.");
  return { ...stack, identity };
}

/** A caller's credential as code has it that runs in Azure: from the identity endpoint, by the client id. */
export function credentialOf({ identity }: KeylessStack, managedIdentityClientId: string): DefaultAzureCredential {
  process.env.IDENTITY_ENDPOINT = identity.endpoint;
  process.env.IDENTITY_HEADER = identity.secret;
  return new DefaultAzureCredential({ managedIdentityClientId });
}

/** What callers get from the directory. */
export class Directory {
  readonly #address: string;
  readonly tenantId: string;

  constructor({ identity }: KeylessStack) {
    this.#address = identity.authority;
    this.tenantId = identity.tenantId;
  }

  token(principal: Principal, audience = AZURE_OPENAI, options: { lifetime?: number; version?: number } = {}) {
    return this.#ask("tokens", { principal, audience, ...options });
  }

  /** Whatever a test wants signed. */
  sign(claims: object, header: object = {}): Promise<string> {
    return this.#ask("sign", { claims, header });
  }

  /** The claims of a good token of this caller. */
  claims({ clientId, objectId = objectIdOf(clientId) }: Principal): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1000);
    return {
      aud: AZURE_OPENAI,
      iss: `https://sts.windows.net/${this.tenantId}/`,
      iat: now - 300,
      nbf: now - 300,
      exp: now + 3_600,
      appid: clientId,
      idtyp: "app",
      oid: objectId,
      sub: objectId,
      tid: this.tenantId,
      ver: "1.0",
    };
  }

  async #ask(what: string, body: object): Promise<string> {
    const response = await fetch(`${this.#address}/_local/${what}`, { method: "POST", body: JSON.stringify(body) });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`No token: ${JSON.stringify(answer)}`);
    return answer.access_token;
  }
}

/** Another instance of the app, with these settings changed, which need not become healthy. Resolves with its log. */
export async function startInstance(stack: Stack, changes: Record<string, string>) {
  const lines: string[] = [];
  const instance = new Child({
    name: "instance",
    cwd: PROJECT,
    env: { ...stack.env, ...changes },
    ports: { port: 0 },
    args: ({ port }) => [
      "local/functions/main.ts",
      "--app",
      PROJECT,
      "--grace",
      "1",
      "--port",
      String(port),
      "--quiet",
    ],
    log: (line) => lines.push(line),
    onDeath: () => {},
  });
  await instance.start();
  return { lines, stop: () => instance.kill() };
}

/** How many requests the store has had. */
export async function storeRequests({ cosmos }: Stack): Promise<number> {
  const response = await fetch(new URL("/_local/stats", cosmos.endpoint));
  return ((await response.json()) as { total: { count: number } }).total.count;
}

/** https in front of the app, as Azure has it: clients give tokens to nothing else. */
export async function httpsFront(stack: Stack): Promise<{ origin: string; close(): void }> {
  const { certificate, key } = selfSigned();
  trust(certificate);
  const { port } = new URL(stack.baseUrl);
  const front = tls.createServer({ cert: certificate, key }, (socket) => {
    const behind = net.connect(Number(port), "127.0.0.1");
    socket.pipe(behind).pipe(socket);
    socket.on("error", () => behind.destroy());
    behind.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const address = front.address() as net.AddressInfo;
  return { origin: `https://127.0.0.1:${address.port}`, close: () => front.close() };
}
