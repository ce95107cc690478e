/**
 * The identities of a local stack: an identity endpoint as App Service gives it to an app, and a directory that
 * publishes the keys which its tokens can be checked with. /_local/ is for tests.
 */
import { randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type Behaviour, behaviourSchema } from "./behaviour.ts";
import { SigningKeys } from "./signing-keys.ts";
import { LocalDirectory } from "./tokens.ts";

export interface IdentityOptions {
  /** 0 or absent: a free one. */
  port?: number;
  tenantId: string;
  /** What requests for tokens must have in `X-IDENTITY-HEADER`. */
  secret: string;
  /** The client id of the system-assigned identity; absent if there is none. */
  systemAssigned?: string | undefined;
  /** The client ids of the user-assigned identities. */
  userAssigned?: string[];
}

export interface IdentityServer {
  port: number;
  /** What an authority's URL is to the app: `http://127.0.0.1:PORT` */
  authority: string;
  directory: LocalDirectory;
  keys: SigningKeys;
  behave(behaviour: Behaviour): void;
  stop(): Promise<void>;
}

/** A request for a token, as the identity endpoint saw it. */
interface SeenRequest {
  resource: string;
  clientId: string | undefined;
  status: number;
}

const HOST = "127.0.0.1";
const API_VERSION = "2019-08-01";
/** Seconds, as in Azure. */
const LIFETIME = 86_400;
/** Requests for tokens that are remembered. */
const MOST_SEEN = 10_000;

/** Starts the server on this machine's loopback address. Throws when the port is taken. */
export async function startIdentity(options: IdentityOptions): Promise<IdentityServer> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, HOST, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return new Identities(options, server, port);
}

class Identities implements IdentityServer {
  readonly port: number;
  readonly authority: string;
  readonly keys = new SigningKeys();
  readonly directory: LocalDirectory;
  readonly #options: IdentityOptions;
  readonly #server: Server;
  #behaviour: Behaviour = {};
  #seen: SeenRequest[] = [];
  #keyRequests = 0;

  constructor(options: IdentityOptions, server: Server, port: number) {
    this.#options = options;
    this.#server = server;
    this.port = port;
    this.authority = `http://${HOST}:${port}`;
    this.directory = new LocalDirectory(options.tenantId, this.keys, () => this.authority);
    server.on("request", (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        answer(response, 400, { error: error instanceof Error ? error.message : String(error) });
      });
    });
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.authority);
    const { tenantId } = this.directory;
    switch (`${request.method} ${pathname}`) {
      case "GET /msi/token":
        return this.#giveToken(request, searchParams, response);
      case `GET /${tenantId}/discovery/keys`:
      case `GET /${tenantId}/discovery/v2.0/keys`:
        return this.#giveKeys(response);
      default:
        return answer(response, ...this.#control(`${request.method} ${pathname}`, await bodyOf(request)));
    }
  }

  async #giveToken(request: IncomingMessage, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { hang, delayMs, status } = this.#behaviour;
    const resource = query.get("resource") ?? "";
    const clientId = query.get("client_id") ?? undefined;
    const [code, body] = status === undefined ? this.#token(request, query) : [status, failure(status, "Unavailable.")];
    this.#seen.push({ resource, clientId, status: hang ? 0 : code });
    if (this.#seen.length > MOST_SEEN) this.#seen.shift();
    if (hang) return;
    if (delayMs !== undefined) await delay(delayMs);
    answer(response, code, body);
  }

  #token({ headers }: IncomingMessage, query: URLSearchParams): [status: number, body: object] {
    if (!isSame(String(headers["x-identity-header"]), this.#options.secret)) {
      return [401, failure(401, "Unauthorized: X-IDENTITY-HEADER is wrong or missing.")];
    }
    const version = query.get("api-version");
    if (version !== API_VERSION) return [400, failure(400, `The api-version '${version}' is not supported.`)];
    const resource = query.get("resource");
    if (!resource) return [400, failure(400, "The parameter 'resource' is missing.")];
    const clientId = this.#identityFor(query);
    if (clientId === undefined) return [400, failure(400, NO_IDENTITY)];
    const lifetime = this.#behaviour.lifetime ?? LIFETIME;
    const token = this.directory.issue({ clientId }, { audience: resource, lifetime });
    const expiresOn = String(Math.floor(Date.now() / 1000) + lifetime);
    return [200, { access_token: token, expires_on: expiresOn, resource, token_type: "Bearer", client_id: clientId }];
  }

  /** The client id of the identity that a request means; undefined if the app has no such identity. */
  #identityFor(query: URLSearchParams): string | undefined {
    const { systemAssigned, userAssigned = [] } = this.#options;
    const wanted = query.get("client_id");
    if (wanted !== null) return userAssigned.find((id) => id.toLowerCase() === wanted.toLowerCase());
    const byOther = ["principal_id", "object_id", "mi_res_id"].some((name) => query.has(name));
    return byOther ? undefined : systemAssigned;
  }

  #giveKeys(response: ServerResponse): void {
    this.#keyRequests += 1;
    const { status, hang } = this.#behaviour.keys ?? {};
    if (hang) return;
    if (status !== undefined) answer(response, status, failure(status, "Unavailable."));
    else answer(response, 200, { keys: this.keys.published });
  }

  #control(route: string, text: string): [status: number, body: unknown] {
    const json = (): unknown => (text === "" ? {} : JSON.parse(text));
    switch (route) {
      case "GET /_local/directory":
        return [200, { tenantId: this.directory.tenantId, keys: this.keys.published }];
      case "GET /_local/requests":
        return [200, { tokens: this.#seen, keys: this.#keyRequests }];
      case "PUT /_local/behaviour":
        this.#behaviour = behaviourSchema.parse(json());
        return [200, this.#behaviour];
      case "POST /_local/tokens": {
        const { principal, audience, lifetime, version } = tokenRequest.parse(json());
        const token = this.directory.issue(principal, { audience, lifetime, version });
        return [200, { access_token: token }];
      }
      case "POST /_local/sign": {
        const { header, claims } = signRequest.parse(json());
        return [200, { access_token: this.keys.sign(claims, header) }];
      }
      default:
        return [404, { error: `There is no ${route}.` }];
    }
  }
}

const tokenRequest = z.strictObject({
  principal: z.strictObject({
    clientId: z.string(),
    objectId: z.string().optional(),
    scopes: z.string().optional(),
    roles: z.array(z.string()).optional(),
    groups: z.array(z.string()).optional(),
  }),
  audience: z.string(),
  lifetime: z.int().default(3_600),
  version: z.union([z.literal(1), z.literal(2)]).default(1),
});

/** Whatever a test wants signed, sound or not. */
const signRequest = z.strictObject({ header: z.looseObject({}).default({}), claims: z.looseObject({}) });

/** The words of App Service. */
const NO_IDENTITY =
  "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.";

const failure = (statusCode: number, message: string) => ({ statusCode, message, correlationId: randomUUID() });

function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
