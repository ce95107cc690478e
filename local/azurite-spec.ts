// Azurite as a child process of the local stack, and how a client finds it.

import path from "node:path";
import type { Ready } from "./child.ts";

/** The account of every Azurite and its key, which are public. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

export function azuriteSpec(port: number, dataDir: string | undefined) {
  const data = dataDir === undefined ? [] : ["--data", path.resolve(dataDir, "blobs")];
  return {
    name: "blobs",
    ports: { port },
    args: (ports: Ready) => ["local/azurite.ts", "--port", String(ports.port), ...data],
  };
}

/** The value of `AzureWebJobsStorage`. */
export function blobConnectionString(port: number): string {
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  return `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`;
}
