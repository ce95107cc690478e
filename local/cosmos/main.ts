import { parseArgs } from "node:util";
import { type CosmosServer, startCosmos } from "./server.ts";

const USAGE = "node local/cosmos/main.ts [--port 8081] [--data DIR] [--seed N]";
const DEFAULT_PORT = "8081";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: DEFAULT_PORT },
    data: { type: "string" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const port = Number(values.port);
const server = await start();
stopWhenAsked(server);
console.log(`cosmos ready on ${server.endpoint}`);
process.send?.({ ready: true, port: server.port, endpoint: server.endpoint });

async function start(): Promise<CosmosServer> {
  try {
    return await startCosmos({
      port,
      seed: Number(values.seed),
      ...(values.data !== undefined && { data: values.data }),
    });
  } catch (error) {
    const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    console.error(
      taken ? `cosmos: port ${port} is in use` : `cosmos: ${error instanceof Error ? error.message : error}`,
    );
    process.exit(1);
  }
}

/** Also when the parent process is gone: no other process would end this one. */
function stopWhenAsked(running: CosmosServer): void {
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("disconnect", stop);
}
