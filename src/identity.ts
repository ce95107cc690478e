/**
 * The app's own identity: in Azure a managed one, on a developer's machine the account that is signed in there. The
 * library is loaded when the first token is asked for: apps that use keys never do that.
 */
import type { TokenCredential } from "@azure/identity";
import type { Config } from "./config.ts";

export type IdentitySettings = Pick<Config, "managedIdentityClientId" | "hasIdentityEndpoint">;

export function identity(settings: IdentitySettings): TokenCredential {
  let credential: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes, options) {
      credential ??= settings.hasIdentityEndpoint ? managedIdentity(settings) : signedIn(settings);
      return (await credential).getToken(scopes, options);
    },
  };
}

/** On a developer's machine, or where a service principal or workload identity is configured. */
async function signedIn({ managedIdentityClientId }: IdentitySettings): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new DefaultAzureCredential(managedIdentityClientId === undefined ? {} : { managedIdentityClientId });
}

async function managedIdentity({ managedIdentityClientId }: IdentitySettings): Promise<TokenCredential> {
  return (await import("./managed-identity.ts")).managedIdentity(managedIdentityClientId);
}
