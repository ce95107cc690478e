/**
 * The app's own identity in Azure; on a developer's machine, the account that is signed in there. The library is loaded
 * when the first token is asked for: apps that use keys never do that.
 */
import type { DefaultAzureCredential, TokenCredential } from "@azure/identity";
import type { Config } from "./config.ts";

export function identity({ managedIdentityClientId }: Config): TokenCredential {
  const options = managedIdentityClientId === undefined ? {} : { managedIdentityClientId };
  let credential: Promise<DefaultAzureCredential> | undefined;
  return {
    async getToken(scopes, tokenOptions) {
      credential ??= import("@azure/identity").then((library) => new library.DefaultAzureCredential(options));
      return (await credential).getToken(scopes, tokenOptions);
    },
  };
}
