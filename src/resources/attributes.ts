/** What a client attached to a file in a vector store; filters of a search ask for it (docs/contract.md, "Search"). */
export type Attributes = Record<string, string | number | boolean>;
