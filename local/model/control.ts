import type { ModelCall, ModelReport } from "./script-book.ts";
import type { Turn } from "./turn.ts";

/** The control of a simulated model that runs in another process. */
export interface ModelControl {
  script(model: string, turns: Turn[], options?: { repeat?: boolean }): Promise<void>;
  report(model: string): Promise<ModelReport>;
  forget(model: string): Promise<void>;
  /** All recorded requests of all models, without their bodies. */
  calls(): Promise<ModelCall[]>;
}

/** `baseUrl` is that of the server, with or without `/v1`. */
export function controlModel(baseUrl: string): ModelControl {
  const urlOf = (model: string) => new URL(`/_local/models/${encodeURIComponent(model)}`, baseUrl);
  return {
    async script(model, turns, { repeat = false } = {}) {
      await call(urlOf(model), { method: "PUT", body: JSON.stringify({ turns, repeat }) });
    },
    async report(model) {
      return (await call(urlOf(model), { method: "GET" })) as ModelReport;
    },
    async forget(model) {
      await call(urlOf(model), { method: "DELETE" });
    },
    async calls() {
      return (await call(new URL("/_local/calls", baseUrl), { method: "GET" })) as ModelCall[];
    },
  };
}

async function call(url: URL, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${init.method} ${url.pathname}: ${response.status} ${await response.text()}`);
  return response.json();
}
