/** How good a list of results is, against what is known to be relevant. All from 0 to 1. */

/** Normalised discounted cumulative gain of the first `depth`: relevant documents count more, the earlier they come. */
export function ndcg(found: string[], relevant: Map<string, number>, depth: number): number {
  const gain = (grade: number, index: number) => (2 ** grade - 1) / Math.log2(index + 2);
  const sum = (grades: number[]) => grades.slice(0, depth).reduce((total, grade, at) => total + gain(grade, at), 0);
  const ideal = sum([...relevant.values()].sort((a, b) => b - a));
  return ideal === 0 ? 0 : sum(found.map((id) => relevant.get(id) ?? 0)) / ideal;
}

/** How many of the relevant documents are among the first `depth`. */
export const recall = (found: string[], relevant: Map<string, number>, depth: number): number =>
  found.slice(0, depth).filter((id) => relevant.has(id)).length / relevant.size;

export const mean = (values: number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
