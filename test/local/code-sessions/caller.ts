/** A client of the local server of code sessions that sends whatever a test wants. */
import { API_VERSION } from "../../../local/code-sessions/server.ts";

export const KEY = "a-key-of-these-tests";

export interface Told {
  status: string;
  error?: { error: { code: string; message: string } };
  result?: { stdout: string; stderr: string; executionResult: unknown; executionTimeInMilliseconds: number };
}

export interface Answered<T = unknown> {
  status: number;
  headers: Headers;
  body: T;
}

export class Caller {
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  url(path: string, query: Record<string, string> = {}): string {
    return `${this.#endpoint}${path}?${new URLSearchParams({ "api-version": API_VERSION, ...query })}`;
  }

  async send<T = unknown>(method: string, url: string, init: RequestInit = {}): Promise<Answered<T>> {
    const headers = { authorization: `Bearer ${KEY}`, ...init.headers };
    const response = await fetch(url, { method, ...init, headers });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }

  execute(identifier: string, code: string, more: object = {}): Promise<Answered<Told>> {
    const usual = { codeInputType: "Inline", executionType: "Synchronous", timeoutInSeconds: 15 };
    const body = JSON.stringify({ ...usual, code, ...more });
    return this.send("POST", this.url("/executions", { identifier }), { body });
  }

  /** The value of the code's last expression; throws what else there was. */
  async value(identifier: string, code: string, more: object = {}): Promise<unknown> {
    const { body } = await this.execute(identifier, code, more);
    if (body.status !== "Succeeded") throw new Error(JSON.stringify(body));
    return body.result?.executionResult;
  }

  upload(identifier: string, name: string, content: string | Uint8Array<ArrayBuffer>, path = "") {
    const form = new FormData();
    form.append("file", new Blob([content]), name);
    const query = path === "" ? { identifier } : { identifier, path };
    return this.send<Record<string, unknown>>("POST", this.url("/files", query), { body: form });
  }
}

/** Python that evaluates JavaScript in the interpreter's process, and is worth what that is worth as text. */
export function javaScript(source: string): string {
  return `import ctypes
_library = ctypes.CDLL(None)
_library.emscripten_run_script_string.restype = ctypes.c_char_p
_library.emscripten_run_script_string(${JSON.stringify(source)}.encode()).decode()`;
}

/** The same for a promise: waits for it, so that timers and input go on meanwhile. */
export function awaitedJavaScript(source: string): string {
  const started = `globalThis.outcome = "nothing"; (async () => { ${source} })().then(
    (value) => { globalThis.outcome = String(value) }, (error) => { globalThis.outcome = String(error) }); ""`;
  return `${javaScript(started)}
import asyncio
async def _wait():
    for _ in range(40):
        await asyncio.sleep(0.025)
        value = _library.emscripten_run_script_string(b"globalThis.outcome").decode()
        if value != "nothing":
            return value
asyncio.run(_wait())`;
}
