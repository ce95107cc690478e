import { invalidRequest, unknownUrl } from "./api-error.ts";
import type { Exchange } from "./exchange.ts";
import type { ModelStats } from "./model-api.ts";
import type { ScriptBook } from "./script-book.ts";
import { parseScript } from "./turn.ts";

/** `/_local/…`: what tests and people use to script the model and to see what it was asked. */
export async function handleControl(exchange: Exchange, scripts: ScriptBook, stats: ModelStats): Promise<void> {
  const { pathname } = exchange.url;
  const method = exchange.request.method ?? "GET";
  if (method === "GET" && pathname === "/_local/health") return exchange.sendJson(200, { status: "ok" });
  if (method === "GET" && pathname === "/_local/stats") return exchange.sendJson(200, stats);
  if (method === "GET" && pathname === "/_local/calls") return exchange.sendJson(200, scripts.calls());
  const name = pathname.match(/^\/_local\/models\/(.+)$/)?.[1];
  if (name === undefined) throw unknownUrl(method, pathname);
  const model = decodeURIComponent(name);
  switch (method) {
    case "PUT":
      scripts.put(model, await readScript(exchange));
      return exchange.sendJson(200, { remaining: scripts.report(model).remaining });
    case "GET":
      return exchange.sendJson(200, scripts.report(model));
    case "DELETE":
      scripts.forget(model);
      return exchange.sendJson(200, { deleted: true });
    default:
      throw unknownUrl(method, pathname);
  }
}

async function readScript(exchange: Exchange) {
  try {
    return parseScript(await exchange.readJson());
  } catch (error) {
    throw invalidRequest(error instanceof Error ? error.message : String(error));
  }
}
