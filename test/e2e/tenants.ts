import { hash } from "node:crypto";

/** How many tests of one file can have a tenant of their own. The environment variable of all tenants holds 128 KB. */
export const TENANTS_PER_FILE = 80;

/** `fileName` such as `threads.test.ts` */
export const tenantName = (fileName: string, number: number) => `${fileName.replace(/\.test\.ts$/, "")}-${number}`;

/** Short, since there are thousands of them. */
const KEY_LENGTH = 16;

/** Good for one run of the tests only: the seed is random. */
export const keyOf = (seed: string, tenant: string) =>
  hash("sha256", `${seed}-${tenant}`, "base64url").slice(0, KEY_LENGTH);
