import { z } from "zod";
import type { App } from "../../app.ts";
import { keptText } from "../../ingest/kept-text.ts";
import { embeddingsFailed, embeddingsNotServed, invalidParameter } from "../../resources/errors.ts";
import { searchRequest, searchResultsObject } from "../../resources/store-search.ts";
import { fileContentObject } from "../../resources/vector-store-file.ts";
import { touch } from "../../stores/attach.ts";
import { readAttached, readLiveStore } from "../../stores/read.ts";
import { stopFor } from "../incoming.ts";
import { operation } from "../operation.ts";
import { blobsOf } from "./files.ts";

/** Loaded with the first search: other requests do not wait for it. */
const searching = () => import("../../search/search.ts");

/** For the embedding of a search's queries. Milliseconds. */
const EMBEDDING_TIMEOUT = 30_000;

/** Throws the 404 of a deployment without a model for it, or the 503 or 429 of one that cannot be had. */
async function vectorsOf({ embeddings, log }: App, queries: string[]): Promise<number[][]> {
  if (!embeddings.isSet) throw embeddingsNotServed();
  try {
    return await embeddings.embedQueries(queries, AbortSignal.timeout(EMBEDDING_TIMEOUT));
  } catch (error) {
    log.warn("the queries of a search could not be embedded", { ...(await embeddings.failure(error)), error });
    const trouble = await embeddings.trouble(error);
    throw embeddingsFailed(trouble.kind === "later" ? Math.ceil((trouble.retryAfter ?? 1_000) / 1_000) : undefined);
  }
}

const search = operation({
  name: "searchVectorStore",
  summary: "Search a vector store for passages",
  method: "POST",
  path: "vector_stores/{vector_store_id}/search",
  body: searchRequest,
  response: searchResultsObject,
  handler: async ({ app, tenant, params: { vector_store_id: id }, body, now }) => {
    blobsOf(app);
    const queries = [body.query].flat();
    const store = await readLiveStore(app.store, tenant, id, now);
    const { ranker, score_threshold: scoreThreshold, hybrid_search: weights } = body.ranking_options ?? {};
    const vectors = await vectorsOf(app, queries);
    const { searchStore } = await searching();
    const found = await searchStore(app.store, {
      tenant,
      vectorStoreId: id,
      queries: queries.map((text, index) => ({ text, vector: vectors[index] ?? [] })),
      filters: body.filters ?? undefined,
      maxNumResults: body.max_num_results,
      ranking: {
        ranker,
        scoreThreshold,
        embeddingWeight: weights?.embedding_weight,
        textWeight: weights?.text_weight,
      },
      signal: AbortSignal.timeout(EMBEDDING_TIMEOUT),
    });
    await touch(app, store);
    return {
      object: "vector_store.search_results.page" as const,
      search_query: queries,
      data: found.map(({ fileId, filename, score, attributes, text }) => ({
        file_id: fileId,
        filename,
        score,
        attributes,
        content: [{ type: "text" as const, text }],
      })),
      has_more: false,
      next_page: null,
    };
  },
});

/** Of a file's text on one page. Characters. */
const PAGE = 1_000_000;

const contentQuery = z.object({ page: z.string().optional().describe("`next_page` of the page before") });

const getContent = operation({
  name: "getVectorStoreFileContent",
  summary: "Read the text of a file in a vector store",
  method: "GET",
  path: "vector_stores/{vector_store_id}/files/{file_id}/content",
  query: contentQuery,
  response: fileContentObject,
  handler: async ({ app, tenant, params: { vector_store_id: storeId, file_id: id }, query, connection }) => {
    const blobs = blobsOf(app);
    const number = pageNumber(query.page);
    const { status } = await readAttached(app.store, tenant, storeId, id);
    const stop = stopFor(connection);
    try {
      const pieces = status === "completed" ? await keptText(blobs, { tenant, id }, stop.signal) : undefined;
      const { text, hasMore } = await pageOf(pieces ?? [], number);
      return {
        object: "vector_store.file_content.page" as const,
        data: text === "" ? [] : [{ type: "text" as const, text }],
        has_more: hasMore,
        next_page: hasMore ? String(number + 1) : null,
      };
    } catch (error) {
      stop.signal.throwIfAborted();
      throw error;
    } finally {
      stop.abort();
    }
  },
});

function pageNumber(token = "0"): number {
  if (!/^\d{1,6}$/.test(token)) throw invalidParameter("Invalid 'page'.", "page", "invalid_value");
  return Number(token);
}

/** No character is cut: a pair of surrogates belongs to the page on which it ends. */
async function pageOf(
  pieces: AsyncIterable<string> | Iterable<string>,
  number: number,
): Promise<{ text: string; hasMore: boolean }> {
  const [from, to] = [number * PAGE, (number + 1) * PAGE];
  let text = "";
  let at = 0;
  for await (const piece of pieces) {
    const start = Math.max(at, from - 1);
    if (at + piece.length > start) text += piece.slice(start - at);
    at += piece.length;
    if (at > to) break;
  }
  const first = Math.max(from - 1, 0);
  const begin = from > 0 && isHighSurrogate(text.charCodeAt(0)) ? 0 : from - first;
  const end = isHighSurrogate(text.charCodeAt(to - 1 - first)) ? to - 1 - first : to - first;
  return { text: text.slice(begin, end), hasMore: first + text.length > first + end };
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xdc00;

export const vectorStoreSearchOperations = [search, getContent];
