/** A gateway before the local store that answers as Cosmos DB may: with empty pages, without etags or session tokens. */
import http from "node:http";
import type { AddressInfo } from "node:net";

/** The continuation of a page that this gateway has made up; what is behind it is the store's first page. */
const SECOND = "second-page";

export interface OddGateway {
  endpoint: string;
  /** how many answers it has made up */
  madeUp(): number;
  stop(): Promise<void>;
}

/**
 * `empty-pages`: each query begins with one. `no-etags`: the answer to a batch has none. `silent-refusals`: a refused batch
 * does not tell how far the store has come.
 */
export type Oddity = "empty-pages" | "no-etags" | "silent-refusals";

export async function startOddGateway(target: string, oddity: Oddity): Promise<OddGateway> {
  let madeUp = 0;
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const isQuery = request.headers["content-type"]?.startsWith("application/query+json") === true;
    const isPlan = request.headers["x-ms-cosmos-is-query-plan-request"] !== undefined;
    const concerned = isQuery && !isPlan && oddity === "empty-pages";
    const { [CONTINUATION]: continuation, ...headers } = request.headers;
    if (concerned && continuation === undefined) {
      madeUp += 1;
      response.writeHead(200, {
        "content-type": "application/json",
        [CONTINUATION]: SECOND,
        "x-ms-request-charge": "1",
      });
      response.end(JSON.stringify({ _rid: "", Documents: [], _count: 0 }));
      return;
    }
    const own = concerned && continuation === SECOND;
    const answer = await forward(target, request, own || continuation === undefined ? headers : request.headers, body);
    const isBatch = request.headers["x-ms-cosmos-is-batch-request"] !== undefined;
    const text = isBatch && oddity === "no-etags" ? withoutEtags(answer.body) : answer.body;
    const { "content-length": _length, ...answerHeaders } = answer.headers;
    if (isBatch && oddity === "silent-refusals" && answer.status === REFUSED) {
      madeUp += 1;
      delete answerHeaders["x-ms-session-token"];
    }
    response.writeHead(answer.status, answerHeaders);
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    madeUp: () => madeUp,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const CONTINUATION = "x-ms-continuation";
/** The status of a batch of which a part was refused. */
const REFUSED = 207;

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function forward(
  target: string,
  { method, url }: http.IncomingMessage,
  headers: http.IncomingHttpHeaders,
  body: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL(url ?? "/", target), { method, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** The results of a batch without the versions that it has made. */
function withoutEtags(body: Buffer): string {
  const results = JSON.parse(body.toString()) as { eTag?: string }[];
  return JSON.stringify(results.map(({ eTag: _etag, ...rest }) => rest));
}
