/** Faults of the local servers, from their control planes. */
import { expect } from "vitest";

/** Replaces all faults of the server at this address. */
export async function putFaults(base: string, rules: object[]): Promise<void> {
  const { status } = await fetch(new URL("/_local/faults", base), { method: "PUT", body: JSON.stringify(rules) });
  expect(status).toBe(200);
}
