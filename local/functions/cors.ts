// Cross-origin requests, as Azure Functions Core Tools have them with `func start --cors` and `Host.CORS` of
// local.settings.json: ASP.NET's CORS middleware with any header and any method allowed. In Azure the platform does
// this, before a request reaches the app.

import type { IncomingMessage, ServerResponse } from "node:http";

export interface CorsSettings {
  /** Origins such as `http://localhost:3000`, comma separated, or `*` for all. */
  origins: string;
  /** Whether pages may send cookies along. */
  credentials: boolean;
}

export class Cors {
  readonly #origins: ReadonlySet<string>;
  readonly #credentials: boolean;

  /** Throws for credentials with every origin, which browsers and ASP.NET refuse. */
  constructor({ origins, credentials }: CorsSettings) {
    this.#origins = new Set(origins.split(",").filter((origin) => origin !== ""));
    this.#credentials = credentials;
    if (credentials && this.#allowsAll) throw new Error('CORS with credentials needs origins, not "*".');
  }

  /** Adds the headers for the page that sent a request. Answers a preflight, and then gives true. */
  answers({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = headers;
    if (origin === undefined) return false;
    const wanted = method === "OPTIONS" ? headers["access-control-request-method"] : undefined;
    if (this.#allowsAll || this.#origins.has(origin)) {
      response.setHeader("access-control-allow-origin", this.#allowsAll ? "*" : origin);
      if (this.#origins.size > 1) response.setHeader("vary", "Origin");
      if (this.#credentials) response.setHeader("access-control-allow-credentials", "true");
      const names = headers["access-control-request-headers"];
      if (wanted !== undefined) response.setHeader("access-control-allow-methods", wanted);
      if (wanted !== undefined && names !== undefined) response.setHeader("access-control-allow-headers", names);
    }
    if (wanted === undefined) return false;
    response.writeHead(204).end();
    return true;
  }

  /** As in ASP.NET, `*` counts only if it stands alone. */
  get #allowsAll(): boolean {
    return this.#origins.size === 1 && this.#origins.has("*");
  }
}
