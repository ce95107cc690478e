/** What Flex Consumption takes, and how the app and its host sign in. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Snapshot } from "../snapshot.ts";
import { every, everyIs, isFilled, oneOf, type Rule, TYPES } from "./rule.ts";

/** Flex Consumption refuses a site with other properties of siteConfig. */
const SITE_CONFIG = ["appSettings", "cors", "http20Enabled", "ipSecurityRestrictions", "minTlsVersion"];

/** Settings of other plans, which Flex Consumption refuses or ignores; and names that no setting may have there. */
const OF_OTHER_PLANS =
  /^(FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_.*|SCM_DO_BUILD.*|ENABLE_ORYX.*|AzureWebJobsDashboard)$|:/;

/** These win over an identity, even if they are empty. */
const BEFORE_IDENTITY = ["AzureWebJobsStorage", "ServiceBusConnection", "COSMOS_KEY", "APPINSIGHTS_INSTRUMENTATIONKEY"];

const CONNECTIONS = { AzureWebJobsStorage: "accountName", ServiceBusConnection: "fullyQualifiedNamespace" };

const IN_VAULT = /@Microsoft\.KeyVault\(/;

const SCALE = "properties.functionAppConfig.scaleAndConcurrency";
const STORAGE = "properties.functionAppConfig.deployment.storage";

const FUNCTIONS = path.join(import.meta.dirname, "../../../functions");

/** The scale groups beside `http`: each function that no request calls is one. */
const GROUPS = readdirSync(FUNCTIONS)
  .map((file) => readFileSync(path.join(FUNCTIONS, file), "utf8"))
  .flatMap((source) => [...source.matchAll(/app\.(?:serviceBusQueue|timer)\("([^"]+)"/g)])
  .map(([, name]) => `function:${name}`);

function hasSettings(
  rule: string,
  holds: (settings: Record<string, string>) => boolean,
  wrong: Record<string, string>,
): Rule {
  return {
    rule,
    holds: ({ settings }) => holds(settings),
    mistake: (snapshot) => {
      snapshot.settings = { ...snapshot.settings, ...wrong };
    },
  };
}

const within = (least: number, most: number) => (value: unknown) => Number(value) >= least && Number(value) <= most;

const signsIn = (settings: Record<string, string>) =>
  Object.entries(CONNECTIONS).every(
    ([name, target]) =>
      settings[`${name}__credential`] === "managedidentity" &&
      isFilled(settings[`${name}__clientId`]) &&
      isFilled(settings[`${name}__${target}`]),
  );

const isZoneRedundant = (snapshot: Snapshot) => snapshot.values(TYPES.plan, "properties.zoneRedundant").includes(true);

export const APP: Rule[] = [
  {
    rule: "there is one plan of Flex Consumption, for one app",
    holds: (snapshot) =>
      snapshot.of(TYPES.site).length === 1 && snapshot.values(TYPES.plan, "sku.name").join() === "FC1",
    mistake: (snapshot) => snapshot.resources.push(...snapshot.of(TYPES.site)),
  },
  everyIs("the plan is one of Linux", TYPES.plan, "properties.reserved", true, false),
  everyIs("the app wants HTTPS", TYPES.site, "properties.httpsOnly", true, false),
  every("the app wants TLS 1.2", TYPES.site, "properties.siteConfig.minTlsVersion", oneOf("1.2", "1.3"), "1.0"),
  every(
    "siteConfig has only what Flex Consumption takes",
    TYPES.site,
    "properties.siteConfig",
    (config) => Object.keys(config ?? {}).every((name) => SITE_CONFIG.includes(name)),
    { ftpsState: "Disabled" },
  ),
  every("no other origin is let in", TYPES.site, "properties.siteConfig.cors", (cors) => cors === undefined, {
    allowedOrigins: ["*"],
  }),
  hasSettings(
    "no setting is one of other plans",
    (settings) => Object.keys(settings).every((name) => !OF_OTHER_PLANS.test(name)),
    { WEBSITE_RUN_FROM_PACKAGE: "1" },
  ),
  hasSettings(
    "no setting goes before the identity",
    (settings) => BEFORE_IDENTITY.every((name) => !(name in settings)),
    { AzureWebJobsStorage: "" },
  ),
  hasSettings("the host signs in as the app's identity", signsIn, { ServiceBusConnection__clientId: "" }),
  hasSettings(
    "telemetry is sent as the app's identity",
    ({ APPLICATIONINSIGHTS_AUTHENTICATION_STRING: how = "" }) => /ClientId=.*;Authorization=AAD/.test(how),
    { APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "" },
  ),
  hasSettings("the app signs in as its identity", ({ AZURE_CLIENT_ID }) => isFilled(AZURE_CLIENT_ID), {
    AZURE_CLIENT_ID: "",
  }),
  hasSettings(
    "secrets are references to the vault",
    ({ API_KEYS = "", MODEL_KEY = "", EMBEDDING_KEY = "" }) =>
      IN_VAULT.test(API_KEYS) && [MODEL_KEY, EMBEDDING_KEY].every((key) => key === "" || IN_VAULT.test(key)),
    { API_KEYS: "default:tk-0123456789abcdef" },
  ),
  {
    rule: "the app calls the pool of sandboxes that is created, without a key",
    holds: ({ settings, outputs }) =>
      isFilled(settings.CODE_SESSIONS_ENDPOINT) &&
      settings.CODE_SESSIONS_ENDPOINT === outputs.CODE_SESSIONS_ENDPOINT &&
      settings.CODE_SESSIONS_KEY === undefined,
    mistake: (snapshot) => {
      snapshot.settings = { ...snapshot.settings, CODE_SESSIONS_ENDPOINT: "" };
    },
  },
  every(
    "code may use its session for long enough between two messages, and not for ever",
    TYPES.sessionPool,
    "properties.dynamicPoolConfiguration.lifecycleConfiguration.cooldownPeriodInSeconds",
    within(300, 3600),
    86_400,
  ),
  every("references are read as the app's identity", TYPES.site, "properties.keyVaultReferenceIdentity", isFilled, ""),
  everyIs("the package is in a container", TYPES.site, `${STORAGE}.type`, "blobContainer"),
  everyIs("the package is read by identity", TYPES.site, `${STORAGE}.authentication.type`, "UserAssignedIdentity"),
  every(
    "the package is read as the app's identity",
    TYPES.site,
    `${STORAGE}.authentication.userAssignedIdentityResourceId`,
    isFilled,
    "",
  ),
  everyIs("the runtime is Node", TYPES.site, "properties.functionAppConfig.runtime.name", "node", "python"),
  every("Node is 22 or 24", TYPES.site, "properties.functionAppConfig.runtime.version", oneOf("22", "24"), "20"),
  every("memory is a size that there is", TYPES.site, `${SCALE}.instanceMemoryMB`, oneOf(512, 2048, 4096), 1024),
  every("there are 1 to 1,000 instances", TYPES.site, `${SCALE}.maximumInstanceCount`, within(1, 1000), 0),
  every(
    "an instance takes 1 to 1,000 requests",
    TYPES.site,
    `${SCALE}.triggers.http.perInstanceConcurrency`,
    within(1, 1000),
    0,
  ),
  every("ready instances are some", TYPES.site, `${SCALE}.alwaysReady[].instanceCount`, within(1, 1000), 0),
  every(
    "ready instances are of groups that there are",
    TYPES.site,
    `${SCALE}.alwaysReady[].name`,
    (name) => name === "http" || GROUPS.includes(String(name)),
    "function:runs-worker",
  ),
  {
    rule: "a plan with zones has two ready instances of a group, or none",
    holds: (snapshot) =>
      !isZoneRedundant(snapshot) ||
      snapshot.values(TYPES.site, `${SCALE}.alwaysReady[].instanceCount`).every(within(2, 1000)),
    mistake: (snapshot) => snapshot.put(TYPES.site, `${SCALE}.alwaysReady[].instanceCount`, 1),
  },
  {
    rule: "no password deploys, by FTP or otherwise",
    holds: (snapshot) =>
      snapshot.values(TYPES.publishing, "properties.allow").join() === "false,false" &&
      snapshot.of(TYPES.publishing).every(({ name }) => /\/(ftp|scm)$/.test(name)),
    mistake: (snapshot) => snapshot.put(TYPES.publishing, "properties.allow", true),
  },
  every("azd finds the app", TYPES.site, "tags", (tags) => Reflect.get(Object(tags), "azd-service-name") === "api", {}),
  {
    rule: "azd finds everything that takes tags",
    holds: ({ resources }) =>
      resources.every(({ tags }) => tags === undefined || isFilled(Reflect.get(Object(tags), "azd-env-name"))) &&
      resources.filter(({ tags }) => tags !== undefined).length >= 10,
    mistake: (snapshot) => snapshot.put(TYPES.group, "tags", {}),
  },
];
