/** The usual summary of a list of measurements. */

export interface Summary {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  min: number;
  max: number;
}

/** The value that this share of the numbers does not exceed (nearest rank); NaN if there are none. */
export function quantile(numbers: number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export const median = (numbers: number[]): number => quantile(numbers, 0.5);

export function summary(numbers: number[]): Summary {
  return {
    count: numbers.length,
    p50: median(numbers),
    p90: quantile(numbers, 0.9),
    p99: quantile(numbers, 0.99),
    min: Math.min(...numbers),
    max: Math.max(...numbers),
  };
}
