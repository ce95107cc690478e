/** Opens the container of files: by the app's identity in Azure, by a connection string locally. */
import type { ContainerClient, StoragePipelineOptions } from "@azure/storage-blob";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";

/** The container's name, in Azure and locally. */
export const CONTAINER = "files";

export type BlobSettings = Pick<Config, "managedIdentityClientId" | "hasIdentityEndpoint"> & {
  blobs: NonNullable<Config["blobs"]>;
};

/** A block of 4 MiB within this time; each request is tried three times. Milliseconds. */
const TRY_TIMEOUT = 30_000;

const OPTIONS: StoragePipelineOptions = {
  userAgentOptions: { userAgentPrefix: "threadkeep" },
  retryOptions: { maxTries: 3, tryTimeoutInMs: TRY_TIMEOUT, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
};

/** Creates the container if it is a local one: in Azure the template does. */
export async function connectContainer(settings: BlobSettings, abortSignal: AbortSignal): Promise<ContainerClient> {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  const { blobs } = settings;
  if ("endpoint" in blobs) {
    return new BlobServiceClient(blobs.endpoint, identity(settings), OPTIONS).getContainerClient(CONTAINER);
  }
  const container = BlobServiceClient.fromConnectionString(blobs.connectionString, OPTIONS).getContainerClient(
    CONTAINER,
  );
  await container.createIfNotExists({ abortSignal });
  return container;
}
