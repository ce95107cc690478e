/**
 * The app's own identity: in Azure a managed one, on a developer's machine the account that is signed in there. The library
 * is loaded when the first token is asked for: apps that use keys never do that.
 */
import type { AccessToken, ManagedIdentityCredential, TokenCredential } from "@azure/identity";
import type { Config } from "./config.ts";

type IdentitySettings = Pick<Config, "managedIdentityClientId" | "hasIdentityEndpoint">;

/** How long the platform may take to give a token: without a bound a request of the app would wait for ever. Milliseconds. */
export const TOKEN_TIMEOUT = 4_000;

/** The identity got no token. The message is one line for the operator, without the library's lists of what it tried. */
export class NoToken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NoToken";
  }
}

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

/**
 * Not the default credential: where the platform has an identity endpoint, that would go on to look for signed-in developers
 * after a refusal, for seconds, and tell of all of them.
 */
async function managedIdentity({ managedIdentityClientId: clientId }: IdentitySettings): Promise<TokenCredential> {
  const [{ ManagedIdentityCredential }, { createDefaultHttpClient }] = await Promise.all([
    import("@azure/identity"),
    import("@azure/core-rest-pipeline"),
  ]);
  const client = createDefaultHttpClient();
  const credential = new ManagedIdentityCredential({
    ...(clientId !== undefined && { clientId }),
    // What needs the token is tried again by the app itself.
    retryOptions: { maxRetries: 0 },
    httpClient: {
      sendRequest(request) {
        request.timeout = TOKEN_TIMEOUT;
        return client.sendRequest(request);
      },
    },
  });
  return { getToken: (scopes, options) => explained(credential, clientId, scopes, options) };
}

type TokenArguments = Parameters<TokenCredential["getToken"]>;

async function explained(
  credential: ManagedIdentityCredential,
  clientId: string | undefined,
  ...[scopes, options]: TokenArguments
): Promise<AccessToken> {
  try {
    return await credential.getToken(scopes, options);
  } catch (error) {
    const who = clientId === undefined ? "the system-assigned identity" : `the identity AZURE_CLIENT_ID=${clientId}`;
    throw new NoToken(`${who} got no token for ${[scopes].flat().join(" ")}: ${reasonOf(error)}`);
  }
}

/** The platform's own words, which stand in the middle of the library's. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const description = /Description: (.+?) - Correlation ID/s.exec(text)?.[1];
  return (description ?? text.replace(/^ManagedIdentityCredential: /, "")).replace(/\s+/g, " ");
}
