/**
 * Does something with each item, with at most so many at a time; the results in the order of the items. After the
 * first failure nothing more begins; it aborts the `stop` of what is under way, as `signal` does, and is thrown when
 * that is over.
 */
export async function inLanes<T, R>(
  lanes: number,
  items: readonly T[],
  work: (item: T, stop: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const failing = new AbortController();
  const stop = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal]);
  const results: R[] = [];
  const queue = items.entries();
  const lane = async () => {
    for (const [index, item] of queue) {
      if (failing.signal.aborted) return;
      results[index] = await work(item, stop);
    }
  };
  const running = Array.from({ length: Math.min(lanes, items.length) }, lane);
  await Promise.all(running).catch(async (error) => {
    failing.abort();
    await Promise.allSettled(running);
    throw error;
  });
  return results;
}
