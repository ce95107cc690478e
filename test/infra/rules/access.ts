/** No keys, encrypted, and no more rights than needed. */
import type { Snapshot } from "../snapshot.ts";
import { every, everyIs, isFilled, oneOf, type Rule, TYPES } from "./rule.ts";

/** Functions of templates that give keys, parts of connection strings, and what infra/snapshots uses for keys. */
const KEY = /listKeys|listSecrets|AccountKey=|SharedAccessKey|InstrumentationKey=[0-9a-f]|not-a-key/;

/** Each role, and the only kind of resource that it is given on. A role that stands nowhere here is a mistake. */
const ROLES: Record<string, RegExp> = {
  // Storage Blob Data Owner: the host's locks and keys, the package
  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": /\/storageAccounts\/[^/]+$/,
  // Storage Table Data Contributor: the host's diagnostic events
  "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": /\/storageAccounts\/[^/]+$/,
  // Azure Service Bus Data Owner: wake-ups, and the lengths of the queues
  "090c5cfd-751d-490a-894a-3ce6f1109419": /\/namespaces\/[^/]+\/queues\/[^/]+$/,
  // Monitoring Metrics Publisher: telemetry
  "3913510d-42f4-4e42-8a64-420c390055eb": /\/Microsoft\.Insights\/components\/[^/]+$/,
  // Key Vault Secrets User: references to secrets
  "4633458b-17de-408a-b874-0445c86b69e6": /\/vaults\/[^/]+$/,
  // Cognitive Services OpenAI User: the model
  "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": /\/Microsoft\.CognitiveServices\/accounts\/[^/]+$/,
  // Azure ContainerApps Session Executor: sandboxes
  "0fb8eba5-a2bb-4abe-b1c1-49dfad359bb0": /\/sessionPools\/[^/]+$/,
};
const NEEDED = Object.keys(ROLES).slice(0, 5);
const CONTRIBUTOR = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c";
const DATA_CONTRIBUTOR = "/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002";

const lastPart = (id: unknown) => String(id).split("/").at(-1) ?? "";

const rolesOf = (snapshot: Snapshot) => snapshot.values(TYPES.role, "properties.roleDefinitionId").map(lastPart);

export const ACCESS: Rule[] = [
  {
    rule: "no key stands in what is created",
    holds: ({ resources, outputs }) => !KEY.test(JSON.stringify({ resources, outputs })),
    mistake: (snapshot) => snapshot.put(TYPES.site, "properties.note", "AccountKey=abc"),
  },
  everyIs("storage takes no keys", TYPES.storage, "properties.allowSharedKeyAccess", false, true),
  everyIs("no blob is public", TYPES.storage, "properties.allowBlobPublicAccess", false, true),
  everyIs("storage wants TLS 1.2", TYPES.storage, "properties.minimumTlsVersion", "TLS1_2", "TLS1_0"),
  everyIs("storage wants HTTPS", TYPES.storage, "properties.supportsHttpsTrafficOnly", true, false),
  everyIs("containers of blobs are private", TYPES.blobContainer, "properties.publicAccess", "None", "Blob"),
  everyIs("Cosmos DB takes no keys", TYPES.account, "properties.disableLocalAuth", true, false),
  everyIs("keys do not change the account", TYPES.account, "properties.disableKeyBasedMetadataWriteAccess", true),
  everyIs("Cosmos DB wants TLS 1.2", TYPES.account, "properties.minimalTlsVersion", "Tls12", "Tls"),
  everyIs("Service Bus takes no keys", TYPES.namespace, "properties.disableLocalAuth", true, false),
  everyIs("Service Bus wants TLS 1.2", TYPES.namespace, "properties.minimumTlsVersion", "1.2", "1.0"),
  {
    rule: "there are no shared access rules",
    holds: ({ resources }) => resources.every(({ type }) => !/AuthorizationRules$/i.test(type)),
    mistake: ({ resources }) =>
      resources.push({ id: "/", type: `${TYPES.queue}/authorizationRules`, name: "send", apiVersion: "2024-01-01" }),
  },
  everyIs("the model takes no keys", TYPES.model, "properties.disableLocalAuth", true, false),
  every("the model has a subdomain", TYPES.model, "properties.customSubDomainName", isFilled, undefined),
  everyIs("Application Insights takes no keys", TYPES.insights, "properties.DisableLocalAuth", true, false),
  everyIs("the workspace takes no keys", TYPES.workspace, "properties.features.disableLocalAuth", true, false),
  everyIs("the vault goes by roles", TYPES.vault, "properties.enableRbacAuthorization", true, false),
  everyIs("the vault has no other policies", TYPES.vault, "properties.accessPolicies", undefined, [{}]),
  every(
    "a deleted vault can be had back",
    TYPES.vault,
    "properties.enableSoftDelete",
    (value) => value !== false,
    false,
  ),
  every(
    "purge protection is on or absent",
    TYPES.vault,
    "properties.enablePurgeProtection",
    (value) => value !== false,
    false,
  ),
  everyIs(
    "sandboxes reach nothing",
    TYPES.sessionPool,
    "properties.sessionNetworkConfiguration.status",
    "EgressDisabled",
  ),
  {
    rule: "only known roles are given, each on its kind of resource",
    holds: (snapshot) =>
      snapshot.of(TYPES.role).every(({ id, properties }) => {
        const role = lastPart(Object(properties).roleDefinitionId);
        const [scope = ""] = id.split("/providers/Microsoft.Authorization/");
        return ROLES[role]?.test(scope) === true;
      }),
    mistake: (snapshot) => snapshot.put(TYPES.role, "properties.roleDefinitionId", CONTRIBUTOR),
  },
  {
    rule: "the app has a role on each queue",
    holds: (snapshot) => {
      const queues = snapshot.of(TYPES.queue).map(({ id }) => id);
      return queues.every((queue) => snapshot.of(TYPES.role).some(({ id }) => id.startsWith(`${queue}/`)));
    },
    mistake: (snapshot) => snapshot.put(TYPES.queue, "id", "/namespaces/sb"),
  },
  {
    rule: "the app has the roles that it needs",
    holds: (snapshot) => NEEDED.every((role) => rolesOf(snapshot).includes(role)),
    mistake: ({ resources }) => {
      const first = resources.findIndex(({ type }) => type === TYPES.role);
      resources.splice(first, 1);
    },
  },
  every(
    "roles are given on resources, not on groups or subscriptions",
    TYPES.role,
    "id",
    (id) => /\/resourceGroups\/[^/]+\/providers\/(?!Microsoft\.Authorization\/)/.test(String(id)),
    "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/1",
  ),
  every(
    "each role says what has it",
    TYPES.role,
    "properties.principalType",
    oneOf("ServicePrincipal", "User", "Group"),
    undefined,
  ),
  {
    rule: "the roles of Cosmos DB are those of its data, on the account",
    holds: (snapshot) =>
      snapshot.of(TYPES.cosmosRole).length > 0 &&
      snapshot.values(TYPES.cosmosRole, "properties.roleDefinitionId").every((id) => isDataRole(id)) &&
      snapshot.values(TYPES.cosmosRole, "properties.scope").every((id) => snapshot.of(TYPES.account)[0]?.id === id),
    mistake: (snapshot) => snapshot.put(TYPES.cosmosRole, "properties.scope", "/sqlDatabases/threadkeep"),
  },
  {
    rule: "without DEVELOPER_ACCESS only the app has roles",
    holds: (snapshot) =>
      hasDeveloper(snapshot) ||
      [TYPES.role, TYPES.cosmosRole]
        .flatMap((type) => snapshot.values(type, "properties.principalId"))
        .every((id) => String(id).includes("/id-threadkeep-")),
    mistake: (snapshot) => snapshot.put(TYPES.cosmosRole, "properties.principalId", "22222222"),
    in: "default",
  },
];

const isDataRole = (id: unknown) => String(id).endsWith(DATA_CONTRIBUTOR);

const hasDeveloper = (snapshot: Snapshot) => snapshot.of(TYPES.group).some(({ name }) => name === "rg-private");
