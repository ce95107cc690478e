/** A rule of the templates, with a mistake that it must find: so that no rule is one that always holds. */
import type { Configuration, Snapshot } from "../snapshot.ts";

export interface Rule {
  rule: string;
  holds: (snapshot: Snapshot) => boolean;
  /** Makes the mistake. */
  mistake: (snapshot: Snapshot) => void;
  /** Where the mistake can be made; `private` if it is not said. */
  in?: Configuration;
}

/** Every resource of the type has something right there. The mistake can only be made if there are such resources. */
export function every(
  rule: string,
  type: string,
  where: string,
  isRight: (value: unknown) => boolean,
  wrong: unknown,
): Rule {
  return {
    rule,
    holds: (snapshot) => snapshot.values(type, where).every(isRight),
    mistake: (snapshot) => snapshot.put(type, where, wrong),
  };
}

/** The same, of a value. */
export const everyIs = (rule: string, type: string, where: string, right: unknown, wrong?: unknown): Rule =>
  every(rule, type, where, (value) => value === right, wrong);

export const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value);

export const isFilled = (value: unknown) => typeof value === "string" && value !== "";

export const TYPES = {
  account: "Microsoft.DocumentDB/databaseAccounts",
  cosmosContainer: "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
  cosmosRole: "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
  blobContainer: "Microsoft.Storage/storageAccounts/blobServices/containers",
  insights: "Microsoft.Insights/components",
  metricAlert: "Microsoft.Insights/metricAlerts",
  model: "Microsoft.CognitiveServices/accounts",
  namespace: "Microsoft.ServiceBus/namespaces",
  network: "Microsoft.Network/virtualNetworks",
  plan: "Microsoft.Web/serverfarms",
  privateEndpoint: "Microsoft.Network/privateEndpoints",
  publishing: "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
  queue: "Microsoft.ServiceBus/namespaces/queues",
  group: "Microsoft.Resources/resourceGroups",
  role: "Microsoft.Authorization/roleAssignments",
  sessionPool: "Microsoft.App/sessionPools",
  site: "Microsoft.Web/sites",
  storage: "Microsoft.Storage/storageAccounts",
  vault: "Microsoft.KeyVault/vaults",
  workspace: "Microsoft.OperationalInsights/workspaces",
  zoneGroup: "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
};
