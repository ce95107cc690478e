import { asBlobTrouble, BlobTrouble } from "./trouble.ts";

/**
 * How long an operation of Blob Storage may take until it is answered, its repetitions included. The SDK has no such
 * bound: its `tryTimeoutInMs` is only told to the service, and one that hangs does not hear of it. Milliseconds.
 */
export const PATIENCE = 45_000;

/**
 * The pieces of a download as they come. Throws `BlobTrouble` where it breaks off, and where the next one takes longer
 * than `patience` (milliseconds): how long the reader takes with one does not count. `abandon` closes the stream then,
 * since its own end would be waited for in vain.
 */
export async function* flowing<T>(
  patience: number,
  pieces: AsyncIterable<T>,
  abandon: () => void,
): AsyncGenerator<T, void> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await within(patience, iterator.next()).catch(asBlobTrouble("download"));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    abandon();
  }
}

const stalled = (patience: number) =>
  new BlobTrouble(
    `Blob Storage stopped in the middle of a download: nothing came for ${patience} ms`,
    undefined,
    undefined,
  );

async function within<T>(patience: number, coming: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(stalled(patience)), patience);
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    clearTimeout(timer);
    coming.catch(() => undefined);
  }
}

/** Aborts an operation that is not answered in time; what it answers with, such as a stream, may take longer. */
export async function answered<T>(
  patience: number,
  signal: AbortSignal | undefined,
  operation: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), patience);
  try {
    return await operation(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
