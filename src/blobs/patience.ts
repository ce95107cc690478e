/**
 * How long an operation of Blob Storage may take until it is answered, its repetitions included. The SDK has no such
 * bound: its `tryTimeoutInMs` is only told to the service, and one that hangs does not hear of it. Milliseconds.
 */
export const PATIENCE = 45_000;

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
