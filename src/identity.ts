/** The app's own identity in Azure; on a developer's machine, whoever is signed in there. */
import { DefaultAzureCredential } from "@azure/identity";
import type { Config } from "./config.ts";

export function identity(config: Config): DefaultAzureCredential {
  const { managedIdentityClientId } = config;
  return new DefaultAzureCredential(managedIdentityClientId === undefined ? {} : { managedIdentityClientId });
}
