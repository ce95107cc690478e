/** The part of the local stack that gives identities to the app, so that no setting of it needs a key. */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Ready } from "./child.ts";

export interface IdentityChoice {
  /** Client ids of user-assigned identities; the app uses the first. Without any it has a system-assigned one. */
  userAssigned?: string[];
}

/** What a stack with identities knows before it starts. */
export interface IdentityPlan {
  tenantId: string;
  secret: string;
  systemAssigned: string | undefined;
  userAssigned: string[];
}

/** Where the local directory is and what it knows, for tests. */
export interface StackIdentity extends IdentityPlan {
  /** `http://127.0.0.1:PORT`: authority of tokens, with the control plane under /_local/ */
  authority: string;
  /** The app's `IDENTITY_ENDPOINT`. */
  endpoint: string;
}

export function planIdentity({ userAssigned = [] }: IdentityChoice): IdentityPlan {
  const systemAssigned = userAssigned.length === 0 ? randomUUID() : undefined;
  return { tenantId: randomUUID(), secret: randomUUID(), systemAssigned, userAssigned };
}

export function identitySpec({ tenantId, secret, systemAssigned, userAssigned }: IdentityPlan) {
  const system = systemAssigned === undefined ? [] : ["--system-assigned", systemAssigned];
  const users = userAssigned.flatMap((id) => ["--user-assigned", id]);
  return {
    name: "identity",
    ports: { port: 0 },
    args: ({ port }: Ready) => {
      const own = ["--tenant", tenantId, "--secret", secret, ...system, ...users];
      return ["local/identity/main.ts", "--port", String(port), ...own];
    },
  };
}

export function addressOf(plan: IdentityPlan, { port }: Ready): StackIdentity {
  const authority = `http://127.0.0.1:${port}`;
  return { ...plan, authority, endpoint: `${authority}/msi/token` };
}

/** Arguments of a server that is to take the directory's tokens. */
export const issuerArgs = (identity: StackIdentity | undefined) =>
  identity === undefined ? [] : ["--issuer", identity.authority];

/** Azure OpenAI's dated API, the oldest form that takes tokens. */
const MODEL_API_VERSION = "2024-10-21";

/** What the app's settings are in Azure, where its identity does what keys do elsewhere. */
export function identitySettings(
  identity: StackIdentity,
  servers: { serviceBusPort: number; modelOrigin: string | undefined },
  given: NodeJS.ProcessEnv,
): Record<string, string> {
  const [clientId] = identity.userAssigned;
  return {
    IDENTITY_ENDPOINT: identity.endpoint,
    IDENTITY_HEADER: identity.secret,
    ServiceBusConnection__fullyQualifiedNamespace: `127.0.0.1:${servers.serviceBusPort}`,
    ServiceBusConnection__credential: "managedidentity",
    ...(clientId !== undefined && {
      AZURE_CLIENT_ID: given.AZURE_CLIENT_ID || clientId,
      ServiceBusConnection__clientId: clientId,
    }),
    ...(given.CALLERS && { ENTRA_TENANT_ID: identity.tenantId, ENTRA_AUTHORITY: identity.authority }),
    ...(servers.modelOrigin !== undefined && { MODEL_ENDPOINT: servers.modelOrigin, MODEL_API_VERSION }),
  };
}

/** Puts certificates of several servers into one file, which is all that NODE_EXTRA_CA_CERTS takes. */
export function trustAll(files: string[], into: string): void {
  writeFileSync(into, files.map((file) => readFileSync(file, "utf8")).join(""));
}

export const beside = (file: string, name: string) => path.join(path.dirname(file), name);
