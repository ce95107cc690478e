/** The identity that the platform gives to the app, and what its errors mean. */
import { createDefaultHttpClient } from "@azure/core-rest-pipeline";
import { type AccessToken, ManagedIdentityCredential, type TokenCredential } from "@azure/identity";

/** How long the platform may take to give a token: the library itself has no bound. Milliseconds. */
export const TOKEN_TIMEOUT = 4_000;

/** The identity got no token. The message is one line for the operator, without the lists of what the library tried. */
export class NoToken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NoToken";
  }
}

/**
 * Not the default credential: where the platform has an identity endpoint, that would go on to look for signed-in
 * developers after a refusal, for seconds, and tell of all of them.
 */
export function managedIdentity(clientId: string | undefined): TokenCredential {
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
