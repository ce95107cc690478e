import { type CommandLine, parseCommandLine, USAGE } from "./command-line.ts";
import { type CosmosServer, startCosmos } from "./server.ts";

const commandLine = read();
const server = await start(commandLine);
stopWhenAsked(server);
console.log(`cosmos ready on ${server.endpoint}`);
process.send?.({ ready: true, port: server.port, endpoint: server.endpoint });

function read(): CommandLine {
  try {
    const given = parseCommandLine(process.argv.slice(2));
    if (given) return given;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`cosmos: ${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(1);
  }
}

async function start({ options, port }: CommandLine): Promise<CosmosServer> {
  try {
    return await startCosmos(options);
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
