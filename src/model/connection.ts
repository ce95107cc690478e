/** The SDK's client for the model that the settings name, and how its streams are read. Loaded for the first run. */
import OpenAI, { AzureOpenAI } from "openai";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";
import { readChunks } from "./chunks.ts";
import { textFetch } from "./fetch.ts";
import type { ModelRequest } from "./types.ts";

const AZURE_SCOPE = "https://cognitiveservices.azure.com/.default";
const AZURE_HOST = /\.(openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)$/;

/** Resolves when the answer begins; rejects with the SDK's errors. */
export type StreamedCall = (request: ModelRequest, signal: AbortSignal) => Promise<AsyncGenerator<ChatCompletionChunk>>;

export async function connect(config: Config): Promise<StreamedCall> {
  const { completions } = (await clientFor(config)).chat;
  return async (request, signal) => {
    const streamed = { ...request, stream: true as const, stream_options: { include_usage: true } };
    return readChunks(await completions.create(streamed, { signal }).asResponse());
  };
}

async function clientFor(config: Config): Promise<OpenAI> {
  const { endpoint, key, apiVersion } = config.model;
  // Retries are the engine's: it gives the run back instead of holding a worker.
  const common = { maxRetries: 0, timeout: config.model.firstTokenTimeout, fetch: textFetch() };
  if (apiVersion !== undefined) {
    const base = { ...common, endpoint, apiVersion };
    return key === undefined
      ? new AzureOpenAI({ ...base, azureADTokenProvider: await azureToken(config) })
      : new AzureOpenAI({ ...base, apiKey: key });
  }
  const azure = AZURE_HOST.test(new URL(endpoint).hostname);
  return new OpenAI({ ...common, baseURL: endpoint, apiKey: key ?? (azure ? await azureToken(config) : "none") });
}

async function azureToken(config: Config): Promise<() => Promise<string>> {
  const { getBearerTokenProvider } = await import("@azure/identity");
  return getBearerTokenProvider(identity(config), AZURE_SCOPE);
}
