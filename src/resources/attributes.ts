/** What clients attach to files in a vector store, and how a search asks for it (docs/contract.md, "Search"). */
export type AttributeValue = string | number | boolean;
export type Attributes = Record<string, AttributeValue>;

export type ComparisonFilter =
  | { type: "eq" | "ne" | "gt" | "gte" | "lt" | "lte"; key: string; value: AttributeValue }
  | { type: "in"; key: string; value: AttributeValue[] }
  | { type: "nin"; key: string; value: AttributeValue[] };

export interface CompoundFilter {
  type: "and" | "or";
  filters: AttributeFilter[];
}

export type AttributeFilter = ComparisonFilter | CompoundFilter;
