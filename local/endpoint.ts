// Asks a real model's endpoint once, at the start, and says what was found: a wrong path, key or name would else show
// only when the first run fails. It lists the models, which costs nothing; the app itself never does.

export interface EndpointSettings {
  endpoint: string;
  key: string | undefined;
  /** Azure OpenAI's dated API. */
  apiVersion: string | undefined;
}

/**
 * A line for people if the endpoint lists models without the one for embeddings; undefined if all is well or unknown.
 * Azure lists what could be deployed; the setting names a deployment.
 */
export function missingEmbeddingModel({ endpoint, models }: { endpoint: string; models: string[] }, wanted: string) {
  const isAzure = URL.canParse(endpoint) && new URL(endpoint).hostname.endsWith(".azure.com");
  // Ollama takes a name without a tag for its latest.
  const isListed = models.includes(wanted) || models.includes(`${wanted}:latest`);
  if (isAzure || isListed || models.length === 0) return undefined;
  return `EMBEDDING_MODEL=${wanted}: the endpoint does not list it; unless it knows it, no file can be searched.`;
}

export interface Finding {
  /** One line for people. */
  text: string;
  /** Names of models that the endpoint knows, if it says. */
  models: string[];
}

const LONGEST_WAIT_MS = 5000;
/** As many names as fit on a line. */
const SHOWN = 4;

/** Never throws: the app starts whatever the endpoint says. */
export async function askEndpoint(settings: EndpointSettings): Promise<Finding> {
  const { endpoint } = settings;
  if (/\/chat\/completions\/?$/.test(endpoint))
    return found("ends in /chat/completions: leave that out of MODEL_ENDPOINT");
  try {
    const response = await listModels(settings, endpoint);
    if (response.status === 404) return found(await explained404(settings));
    return await read(response, settings);
  } catch (error) {
    return found(`does not answer: ${reasonOf(error)}. Runs fail until it does.`);
  }
}

const found = (text: string, models: string[] = []): Finding => ({ text, models });

function listModels({ key, apiVersion }: EndpointSettings, base: string): Promise<Response> {
  const bare = base.replace(/\/+$/, "");
  const url = apiVersion === undefined ? `${bare}/models` : `${bare}/openai/models?api-version=${apiVersion}`;
  const secret = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = apiVersion === undefined || key === undefined ? secret : { "api-key": key };
  return fetch(url, { headers, signal: AbortSignal.timeout(LONGEST_WAIT_MS) });
}

async function read(response: Response, { key, apiVersion }: EndpointSettings): Promise<Finding> {
  const { status } = response;
  if (status === 401 || status === 403) {
    return found(key === undefined ? `asks for a key (${status}): set MODEL_KEY` : `refuses MODEL_KEY (${status})`);
  }
  if (status !== 200) return found(`answered ${status} when asked for its models`);
  const models = namesIn(await response.text());
  if (models === undefined) {
    const type = response.headers.get("content-type") ?? "no content type";
    return found(`answered with ${type} instead of a list of models: is its path right? OpenAI's ends in /v1`);
  }
  // Azure lists what could be deployed; what clients name is a deployment.
  if (apiVersion !== undefined)
    return found("answers, and takes the key; what clients send as model names a deployment");
  const more = models.length > SHOWN ? `, and ${models.length - SHOWN} more` : "";
  return found(`answers; its models: ${models.slice(0, SHOWN).join(", ") || "none"}${more}`, models);
}

/** Many servers have the API below /v1, and some have no list of models. */
async function explained404(settings: EndpointSettings): Promise<string> {
  const { endpoint, apiVersion } = settings;
  const below = `${endpoint.replace(/\/+$/, "")}/v1`;
  const isBelow =
    apiVersion === undefined && !endpoint.includes("/v1") && (await listModels(settings, below)).status < 404;
  if (isBelow) return `has nothing there (404), but below /v1: set MODEL_ENDPOINT=${below}`;
  return "has no list of models there (404): if runs fail with 404 as well, its path is wrong; OpenAI's ends in /v1";
}

/** Undefined if this is no list of models. */
function namesIn(text: string): string[] | undefined {
  try {
    const { data }: { data?: unknown } = JSON.parse(text);
    if (!Array.isArray(data)) return undefined;
    return data.map((model: { id?: unknown } | null) => model?.id).filter((id) => typeof id === "string");
  } catch {
    return undefined;
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "no server listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its host's name could not be looked up",
  TimeoutError: `nothing within ${LONGEST_WAIT_MS / 1000} s`,
};

/** What `fetch` throws says only that it failed; the cause says why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
  return REASONS[code] ?? `${cause.message} (${code})`;
}
