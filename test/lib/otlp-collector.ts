/** A collector of OpenTelemetry's protocol that keeps what it gets; or that hangs, or refuses. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** "" for the first one of a trace */
  parentSpanId: string;
  name: string;
  kind: number;
  links: { traceId: string; spanId: string }[];
  attributes: Record<string, unknown>;
  isError: boolean;
}

export interface CollectedLog {
  traceId: string;
  spanId: string;
  body: string;
  severity: string;
  attributes: Record<string, unknown>;
}

/** One value of a metric: a sum, or how many values a histogram has and their sum. */
export interface CollectedPoint {
  name: string;
  unit: string;
  value: number;
  count: number;
  attributes: Record<string, unknown>;
}

/** How it answers: at all, or with a status. */
export type Mood = "takes" | "hangs" | "refuses";

export class Collector {
  readonly #server: Server;
  readonly #bodies: { path: string; type: string; bytes: Buffer }[] = [];
  mood: Mood = "takes";

  constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Collector> {
    const collector = new Collector(createServer());
    collector.#server.on("request", async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece);
      const { url = "", headers } = request;
      collector.#bodies.push({ path: url, type: String(headers["content-type"]), bytes: Buffer.concat(pieces) });
      if (collector.mood === "hangs") return;
      response.writeHead(collector.mood === "takes" ? 200 : 403, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Everything that has come, as it came. */
  get bytes(): Buffer {
    return Buffer.concat(this.#bodies.map(({ bytes }) => bytes));
  }

  get requests(): { path: string; type: string }[] {
    return this.#bodies.map(({ path, type }) => ({ path, type }));
  }

  get spans(): CollectedSpan[] {
    return this.#json("/v1/traces").flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans = [] }) => spans.map(toSpan))),
    );
  }

  get logs(): CollectedLog[] {
    return this.#json("/v1/logs").flatMap(({ resourceLogs = [] }) =>
      resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords = [] }) => logRecords.map(toLog))),
    );
  }

  get points(): CollectedPoint[] {
    return this.#json("/v1/metrics").flatMap(({ resourceMetrics = [] }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics = [] }) => metrics.flatMap(toPoints)),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #json(path: string): Export[] {
    const bodies = this.#bodies.filter((body) => body.path === path && body.type === "application/json");
    return bodies.map(({ bytes }) => JSON.parse(bytes.toString()) as Export);
  }
}

interface Export {
  resourceSpans?: { scopeSpans: { spans?: JsonSpan[] }[] }[];
  resourceLogs?: { scopeLogs: { logRecords?: JsonLog[] }[] }[];
  resourceMetrics?: { scopeMetrics: { metrics?: JsonMetric[] }[] }[];
}

type Attributes = { key: string; value: Record<string, unknown> }[];

interface JsonSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  links?: { traceId: string; spanId: string }[];
  attributes?: Attributes;
  status?: { code?: number };
}

interface JsonLog {
  traceId?: string;
  spanId?: string;
  body: { stringValue: string };
  severityText: string;
  attributes?: Attributes;
}

interface JsonPoint {
  attributes?: Attributes;
  asDouble?: number;
  asInt?: number | string;
  sum?: number;
  count?: number | string;
}

interface JsonMetric {
  name: string;
  unit: string;
  sum?: { dataPoints: JsonPoint[] };
  histogram?: { dataPoints: JsonPoint[] };
}

const ERROR = 2;

const toSpan = ({ traceId, spanId, parentSpanId = "", name, kind, links, attributes, status }: JsonSpan) => ({
  traceId,
  spanId,
  parentSpanId,
  name,
  kind,
  links: (links ?? []).map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
  attributes: valuesOf(attributes),
  isError: status?.code === ERROR,
});

const toLog = ({ traceId = "", spanId = "", body, severityText, attributes }: JsonLog): CollectedLog => ({
  traceId,
  spanId,
  body: body.stringValue,
  severity: severityText,
  attributes: valuesOf(attributes),
});

const toPoints = ({ name, unit, sum, histogram }: JsonMetric): CollectedPoint[] =>
  (sum ?? histogram)?.dataPoints.map((point) => ({
    name,
    unit,
    value: Number(point.asDouble ?? point.asInt ?? point.sum ?? 0),
    count: Number(point.count ?? 0),
    attributes: valuesOf(point.attributes),
  })) ?? [];

const valuesOf = (attributes: Attributes = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
