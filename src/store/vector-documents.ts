/**
 * The documents of vector stores. A store with its files, batches and chunks is one partition, so a change of a file
 * and of the counts that follow from it are one batch: the counts are exact because each such batch has one winner.
 */
import type { FileBatch } from "../resources/file-batch.ts";
import type { VectorStore } from "../resources/vector-store.ts";
import type { FileToAttach, VectorStoreFile, VectorStoreFileStatus } from "../resources/vector-store-file.ts";
import type { Lease, Listed, Stored } from "./stored.ts";

/** When the ingestion worker should look at a document next, in milliseconds since 1970; null or absent: not at all. */
interface Due {
  due?: number | null;
}

/** Its status and its time of expiry follow from the counts and the clock when it is read. */
export type VectorStoreDoc = Omit<VectorStore, "status" | "expires_at" | "bytes"> &
  Stored<"vector_store", Listed & Due & { tenant: string }>;

/**
 * What is left of a deleted store until its partition is empty: the same document with another kind, since a patch
 * needs no version of a document that workers change all the time.
 */
export type DeletedStoreDoc = { id: string } & Stored<"deleted_vector_store", Listed & Due & { tenant: string }>;

export interface AttachedInternal extends Listed, Due {
  tenant: string;
  /** its place in the list of the files of its status */
  status_sort: string;
  /** the batches that count it, by id */
  batches: string[];
  lease: Lease | null;
  /** whether a worker ever had it: only then may there be a `use` of it, and chunks */
  claimed: boolean;
  /** claims since the last chunk was written */
  attempts: number;
  /** chunks of it that are in the store: the first so many of its text */
  done: number;
  /** whether there may be chunks that are not of this attachment, or of one that failed */
  leftover: boolean;
  /** whether some of its chunks have other attributes than the file */
  relabel?: boolean;
  /** of the file */
  filename: string;
}

/** A file in a vector store; the id is the file's. */
export type VectorStoreFileDoc = VectorStoreFile & Stored<"vector_store_file", AttachedInternal>;

/**
 * Stands in the place of a file that was taken out of a store: until its chunks are gone, and for an hour after, so
 * that a client that takes files out while it pages finds its place again.
 */
export type DetachedFileDoc = { id: string; ttl?: number } & Stored<
  "detached_file",
  Listed &
    Due & {
      tenant: string;
      claimed: boolean;
      /** until when a worker that had the file may still note its use, in milliseconds since 1970 */
      until?: number;
    }
>;

/** A file of a batch that has no document in the store yet. */
export type PendingFile = FileToAttach;

export type FileBatchDoc = Omit<FileBatch, "status"> & {
  /** seconds until Cosmos DB deletes it */
  ttl: number;
} & Stored<
    "file_batch",
    Due & {
      tenant: string;
      sort: string;
      cancelled: boolean;
      /** whether it only stands for the files of a store that is being created: then no file names it */
      hidden: boolean;
      /** files that have no document yet, and how often some of them got one */
      pending: PendingFile[];
      step: number;
      /** how many of the failed ones never got a document, since the store was full */
      refused?: number;
    }
  >;

/** In the catalog: this file is in this store. Written by the worker before it writes the first chunk. */
export type UseDoc = { id: string } & Stored<"use", Listed & { tenant: string; store: string }>;

/** With the tenant, since the list of a tenant's stores crosses partitions. */
export const vectorStoreSort = (tenant: string, seq: string) => `vector_store/${tenant}/${seq}`;
export const attachedSort = (seq: string) => `vsf/${seq}`;
export const attachedStatusSort = (status: VectorStoreFileStatus, seq: string) => `vsf/${status}/${seq}`;
export const detachedSort = (seq: string) => `detached/${seq}`;
export const fileBatchSort = (seq: string) => `vsfb/${seq}`;

/** No id of the API has a tilde. */
export const useId = (fileId: string, storeId: string) => `${fileId}~${storeId}`;
export const useSort = (fileId: string, storeId: string) => `use/${fileId}/${storeId}`;
