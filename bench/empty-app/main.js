// An app with Threadkeep's triggers that does nothing: it answers what the benchmark took down from Threadkeep itself.
// What its host uses is what any app would cost, so the difference is Threadkeep's own.
import { readFileSync } from "node:fs";
import { app } from "@azure/functions";

/** @type {{ created: string, polled: string, streamed: string, pieces: number }} */
const answers = JSON.parse(readFileSync(process.env.EMPTY_APP_ANSWERS ?? "/dev/null", "utf8") || "{}");
const encoder = new TextEncoder();

app.setup({ enableHttpStream: true });

const json = (body) => ({ status: 200, headers: { "content-type": "application/json" }, body });

/** The stream in as many pieces as Threadkeep's came in. */
async function* pieces() {
  const size = Math.ceil(answers.streamed.length / answers.pieces);
  for (let start = 0; start < answers.streamed.length; start += size) {
    yield encoder.encode(answers.streamed.slice(start, start + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A piece a second, until the client leaves. */
async function* slowPieces() {
  for (;;) {
    yield encoder.encode(`event: thread.message.delta\ndata: {}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

const stream = (body) => ({ status: 200, headers: { "content-type": "text/event-stream; charset=utf-8" }, body });

app.http("createRun", {
  methods: ["POST"],
  authLevel: "anonymous",
  route: "v1/threads/{thread_id}/runs",
  handler: ({ query }) => {
    if (query.has("slow")) return stream(slowPieces());
    return query.has("streamed") ? stream(pieces()) : json(answers.created);
  },
});

app.http("submitToolOutputs", {
  methods: ["POST"],
  authLevel: "anonymous",
  route: "v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
  handler: () => json(answers.created),
});

app.http("getRun", {
  methods: ["GET"],
  authLevel: "anonymous",
  route: "v1/threads/{thread_id}/runs/{run_id}",
  handler: () => json(answers.polled),
});

app.http("healthz", { methods: ["GET"], authLevel: "anonymous", route: "healthz", handler: () => json("{}") });

app.serviceBusQueue("run-worker", { connection: "ServiceBusConnection", queueName: "runs", handler: () => {} });
