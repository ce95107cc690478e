/** What a client reads of trouble with the embedding model: our own words, never the endpoint's. */
import { APIError } from "openai";
import { expect, test } from "vitest";
import { embeddingTrouble } from "../../../src/model/embedding-trouble.ts";

const SECRET = "the input 'my secret diary' is too long for deployment acme-small";

test.for([
  [400, null, "server_error", "The embedding model refused the request."],
  [400, "content_filter", "server_error", "The embedding model refused the request."],
  [404, "model_not_found", "server_error", "The embedding model refused the request."],
  [429, "insufficient_quota", "rate_limit_exceeded", "The embedding model's quota is used up."],
  [401, null, "server_error", "The embedding model refused the request."],
] as const)("%d with the code %s is told without the endpoint's words", ([status, code, told, message]) => {
  const error = APIError.generate(status, { error: { message: SECRET, code } }, SECRET, new Headers());
  expect(embeddingTrouble(error, "acme-small")).toEqual({ kind: "final", error: { code: told, message } });
});

test.for([429, 500, 503])("%d is worth another try, and tells nothing of the endpoint", (status) => {
  const error = APIError.generate(status, { error: { message: SECRET } }, SECRET, new Headers());
  const trouble = embeddingTrouble(error, "acme-small");
  expect(trouble.kind).toBe("later");
  expect(JSON.stringify(trouble)).not.toMatch(/diary|acme/);
});
