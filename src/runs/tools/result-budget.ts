/** How much of what a search finds reaches the model. */
import { countTokens } from "../../model/tokens.ts";
import { sizeOf } from "../../resources/limits.ts";

/** What is left; the results of several calls share it. Bytes of JSON. */
export interface Budget {
  tokens: number;
  bytes: number;
}

/** The first of these results that fit, which are taken from the budget. */
export async function within<Result extends { text: string }>(results: Result[], budget: Budget): Promise<Result[]> {
  const tokens = await Promise.all(results.map(({ text }) => countTokens(text)));
  for (const [index, result] of results.entries()) {
    const left = { tokens: budget.tokens - (tokens[index] ?? 0), bytes: budget.bytes - sizeOf(result) };
    if (left.tokens < 0 || left.bytes < 0) return results.slice(0, index);
    Object.assign(budget, left);
  }
  return results;
}
