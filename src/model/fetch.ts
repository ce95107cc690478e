/**
 * `fetch` for the model's SDK, on Node's plain HTTP client. The same by the standard's rules, as Node's own is written,
 * takes twice the CPU time for a streamed answer.
 */
import { type IncomingMessage, type RequestOptions, request as requestOpenly } from "node:http";
import { request as requestSecurely } from "node:https";

/** Bytes of an answer that may wait to be read before its sender has to wait. */
const MOST_WAITING = 1024 * 1024;

/** Statuses whose answers have no body, and then must be given none. */
const BODILESS = [204, 205];

/** As in Node's `fetch`: how long a connection, with its TLS handshake, may take to be made. Milliseconds. */
const CONNECT_TIMEOUT = 10_000;

/**
 * A `fetch` that sends text and gives whatever is answered, unpacked and unread. Rejects with what the connection
 * threw. Anything else, redirections too, is left to Node's `fetch`.
 */
export function textFetch(connectTimeout = CONNECT_TIMEOUT): typeof fetch {
  return async (input, init = {}) => {
    const { body, headers, method, signal } = init;
    if (input instanceof Request || typeof body !== "string" || !(headers instanceof Headers))
      return fetch(input, init);

    const options = {
      headers: headersFor(headers, body),
      ...(method !== undefined && { method }),
      ...(signal && { signal }),
    };
    const answer = await send(new URL(input), options, body, connectTimeout);
    const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
    if (status >= 300 && status < 400) {
      answer.resume();
      return fetch(input, init);
    }
    const head = { status, statusText, headers: headersOf(answer) };
    if (!BODILESS.includes(status)) return new Response(streamOf(answer), head);
    answer.resume();
    return new Response(null, head);
  };
}

const headersFor = (headers: Headers, body: string) => ({
  ...Object.fromEntries(headers),
  // Pieces of a stream are to arrive when they are sent, not when a compressor has enough of them.
  "accept-encoding": "identity",
  "content-length": Buffer.byteLength(body),
});

/**
 * A server may close an unused connection at the moment in which it is used again. What was sent on it then was not
 * answered, and is sent once more.
 */
function send(url: URL, options: RequestOptions, body: string, connectTimeout: number): Promise<IncomingMessage> {
  const isSecure = url.protocol === "https:";
  return new Promise((resolve, reject) => {
    const call = (isSecure ? requestSecurely : requestOpenly)(url, options);
    let answered = false;
    call.on("response", (answer) => {
      answered = true;
      resolve(answer);
    });
    call.on("error", (error: NodeJS.ErrnoException) => {
      const wasClosed = call.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      if (wasClosed && !answered) resolve(send(url, options, body, connectTimeout));
      else reject(error);
    });
    call.on("socket", (socket) => {
      if (!socket.connecting) return;
      const late = () => call.destroy(new Error(`no connection to ${url.host} within ${connectTimeout / 1000} s`));
      const timer = setTimeout(late, connectTimeout);
      for (const event of [isSecure ? "secureConnect" : "connect", "close"])
        socket.once(event, () => clearTimeout(timer));
    });
    call.end(body);
  });
}

function streamOf(answer: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      start(controller) {
        answer.on("data", (piece: Buffer) => {
          controller.enqueue(piece);
          if ((controller.desiredSize ?? 0) <= 0) answer.pause();
        });
        answer.on("end", () => controller.close());
        answer.on("error", (error) => controller.error(error));
      },
      pull: () => void answer.resume(),
      cancel() {
        // What has been resumed a moment ago still brings what waits, and the stream would throw.
        for (const event of ["data", "end"]) answer.removeAllListeners(event);
        answer.destroy();
      },
    },
    { highWaterMark: MOST_WAITING, size: (piece) => piece.byteLength },
  );
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  return headers;
}
