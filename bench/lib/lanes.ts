/** Does `work` for each number below `count`, so many at a time. The first failure stops every lane and is thrown. */
export async function inLanes(count: number, lanes: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    try {
      while (next < count) await work(next++);
    } catch (error) {
      next = count;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
}

/** The same for each of these. */
export const eachInLanes = <T>(items: T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> =>
  inLanes(items.length, lanes, (index) => work(items[index] as T));
