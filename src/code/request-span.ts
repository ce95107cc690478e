/**
 * A request to a pool of sessions as OpenTelemetry sees it: https://opentelemetry.io/docs/specs/semconv/http. The
 * session's identifier, which is a secret, and names of files are not told.
 */
import { inSpan, isRecording } from "../telemetry/telemetry.ts";

interface Told {
  method: string;
  template: string;
}

export function inPoolSpan<T extends { status: number }>(
  endpoint: string,
  { method, template }: Told,
  send: () => Promise<T>,
): Promise<T> {
  if (!isRecording()) return send();
  const { hostname, port } = new URL(endpoint);
  const attributes = {
    "http.request.method": method,
    "url.template": template,
    "server.address": hostname,
    ...(port === "" ? {} : { "server.port": Number(port) }),
  };
  return inSpan({ name: `${method} ${template}`, kind: "client", attributes }, async (span) => {
    const answer = await send();
    span.set({ "http.response.status_code": answer.status });
    if (answer.status >= 400) span.fail(String(answer.status));
    return answer;
  });
}
