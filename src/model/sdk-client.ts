/** The SDK's client for an endpoint of OpenAI's kind, or of Azure OpenAI. */
import OpenAI, { AzureOpenAI } from "openai";
import { type IdentitySettings, identity } from "../identity.ts";
import { withReadableErrors } from "./error-body.ts";
import { textFetch } from "./fetch.ts";

const AZURE_SCOPE = "https://cognitiveservices.azure.com/.default";
const AZURE_HOST = /\.(openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)$/;

export interface EndpointSettings {
  endpoint: string;
  /** undefined: on Azure's hosts the app signs in with its identity, others get "none" */
  key: string | undefined;
  /** set for Azure OpenAI's dated API */
  apiVersion: string | undefined;
  /** until the answer begins, in milliseconds */
  timeout: number;
}

/** Retries nothing: that is for those who know what a failure means. */
export async function clientFor(settings: EndpointSettings, app: IdentitySettings): Promise<OpenAI> {
  const { endpoint, key, apiVersion, timeout } = settings;
  const common = { maxRetries: 0, timeout, fetch: withReadableErrors(textFetch()) };
  if (apiVersion !== undefined) {
    const base = { ...common, endpoint, apiVersion };
    return key === undefined
      ? new AzureOpenAI({ ...base, azureADTokenProvider: await azureToken(app) })
      : new AzureOpenAI({ ...base, apiKey: key });
  }
  const azure = AZURE_HOST.test(new URL(endpoint).hostname);
  return new OpenAI({ ...common, baseURL: endpoint, apiKey: key ?? (azure ? await azureToken(app) : "none") });
}

async function azureToken(app: IdentitySettings): Promise<() => Promise<string>> {
  const { getBearerTokenProvider } = await import("@azure/identity");
  return getBearerTokenProvider(identity(app), AZURE_SCOPE);
}
