/** What all documents of the store have in common. */
import type { Version } from "../resources/schema-version.ts";

export interface Stored<Kind extends string, Internal> {
  pk: string;
  kind: Kind;
  internal: Internal & Version;
}

/** Kind, parent and `seq` in one string: every list is one range of it, and it is the one path that lists index. */
export interface Listed {
  sort: string;
}

/** Which process works on it, and until when no other may claim it (milliseconds since 1970). */
export interface Lease {
  owner: string;
  until: number;
}
