/** Every operation of the API. */
import type { Operation } from "../operation.ts";
import { assistantOperations } from "./assistants.ts";
import { fileBatchOperations } from "./file-batches.ts";
import { fileOperations } from "./files.ts";
import { messageOperations } from "./messages.ts";
import { watchRun } from "./run-events.ts";
import { runOperations } from "./runs.ts";
import { stepOperations } from "./steps.ts";
import { threadOperations } from "./threads.ts";
import { uploadOperations } from "./uploads.ts";
import { vectorStoreFileOperations } from "./vector-store-files.ts";
import { vectorStoreSearchOperations } from "./vector-store-search.ts";
import { vectorStoreOperations } from "./vector-stores.ts";

export const operations: Operation[] = [
  ...assistantOperations,
  ...threadOperations,
  ...messageOperations,
  ...runOperations,
  watchRun,
  ...stepOperations,
  ...fileOperations,
  ...uploadOperations,
  ...vectorStoreOperations,
  ...vectorStoreFileOperations,
  ...vectorStoreSearchOperations,
  ...fileBatchOperations,
];
