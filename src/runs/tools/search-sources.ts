/** Where file_search searches: the tenant's vector stores, by the vectors of the embedding model. */
import type { Embeddings } from "../../model/embeddings.ts";
import type { ModelTrouble } from "../../model/trouble.ts";
import { isExpired } from "../../resources/vector-store.ts";
import { searchStore } from "../../search/search.ts";
import type { Store } from "../../store/store.ts";
import { activity } from "../../stores/attach.ts";
import { IS_STORE } from "../../stores/counts.ts";
import { findVectorStore } from "../../stores/read.ts";
import type { SearchSources } from "./file-search.ts";
import { ToolTrouble } from "./hosted-tool.ts";

/**
 * `store` reads with the account's freshness: workers of other instances write to vector stores. `now` in milliseconds.
 */
export function searchSources(store: Store, embeddings: Embeddings, now: () => number): SearchSources {
  return {
    async embed(texts, signal) {
      try {
        return await embeddings.embedQueries(texts, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        throw new ToolTrouble(await troubleOf(embeddings, error), await embeddings.failure(error), error);
      }
    },
    search: ({ ranking, vectorStore: vectorStoreId, ...query }) =>
      searchStore(store, {
        ...query,
        vectorStoreId,
        ranking: { ranker: ranking.ranker, scoreThreshold: ranking.score_threshold },
      }),
    async use(tenant, id) {
      const doc = await findVectorStore(store, tenant, id);
      if (doc === undefined || isExpired(doc, now())) return doc && { isExpired: true, inProgress: 0 };
      const active = activity(doc, now());
      if (Object.keys(active).length > 0) await store.vectorStore(tenant, id).patchIf(id, IS_STORE, active);
      return { isExpired: false, inProgress: doc.file_counts.in_progress };
    },
  };
}

async function troubleOf(embeddings: Embeddings, error: unknown): Promise<ModelTrouble> {
  const trouble = await embeddings.trouble(error);
  const retryAfter = trouble.kind === "later" ? trouble.retryAfter : undefined;
  return { error: trouble.error, retryable: trouble.kind === "later", retryAfter };
}
