/** Tool resources of a new assistant or thread: beside what exists, a vector store that is to be created with it. */
import { z } from "zod";
import { MAX_FILE_ID, metadata, toolResourcesObject } from "./common.ts";
import { MAX_STORE_FILES } from "./vector-store.ts";
import { chunkingStrategy } from "./vector-store-file.ts";

const { code_interpreter: codeInterpreter, file_search: fileSearch } = toolResourcesObject.shape;
const { vector_store_ids: vectorStoreIds } = fileSearch.unwrap().shape;
const { file_ids: codeFileIds } = codeInterpreter.unwrap().shape;

/** Of a thread that has files attached to its messages. */
export const MAX_CODE_FILES = 20;

const newStore = z.strictObject({
  file_ids: z.array(z.string().min(1).max(MAX_FILE_ID)).max(MAX_STORE_FILES).optional(),
  chunking_strategy: chunkingStrategy.optional(),
  metadata: metadata.optional(),
});

export const newToolResources = z
  .strictObject({
    code_interpreter: z.strictObject({ file_ids: codeFileIds.default(() => []) }).optional(),
    file_search: z
      .strictObject({
        vector_store_ids: vectorStoreIds.optional(),
        vector_stores: z.array(newStore).max(1).optional(),
      })
      .optional(),
  })
  .nullable()
  .transform((value) => value ?? {});
export type NewToolResources = z.output<typeof newToolResources>;
