import { parseArgs } from "node:util";
import { startModel } from "./server.ts";

const USAGE = "node local/model/main.ts [--port 4010] [--key KEY] [--issuer URL] [--first-token-ms 0] [--token-ms 0]";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "4010" },
    key: { type: "string" },
    issuer: { type: "string" },
    "first-token-ms": { type: "string", default: "0" },
    "token-ms": { type: "string", default: "0" },
  },
});

const port = numberOf("port", values.port);
const model = await startModel({
  port,
  firstTokenMs: numberOf("first-token-ms", values["first-token-ms"]),
  tokenMs: numberOf("token-ms", values["token-ms"]),
  ...(values.key === undefined ? {} : { key: values.key }),
  ...(values.issuer === undefined ? {} : { issuer: values.issuer }),
}).catch((error: NodeJS.ErrnoException) => {
  const reason = error.code === "EADDRINUSE" ? `port ${port} is already in use on 127.0.0.1` : error.message;
  return fail(`model: ${reason}`);
});

let isStopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
// The parent has ended, so it can no longer stop this process.
process.on("disconnect", () => void stop());

console.log(`model ready on ${model.baseUrl}`);
process.send?.({ ready: true, port: model.port });

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await model.stop();
  process.exit(0);
}

function numberOf(option: string, text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number) || number < 0) {
    return fail(`model: --${option} must be a number, not "${text}"\nusage: ${USAGE}`);
  }
  return number;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
