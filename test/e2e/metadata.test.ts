import { expect, test } from "vitest";
import { newTenant, refused, type Tenant } from "./harness.ts";

/** Everything that takes metadata, by how it is created. */
const RESOURCES = [
  { what: "an assistant", path: async () => "/assistants", rest: { model: "m" } },
  { what: "a thread", path: async () => "/threads", rest: {} },
  {
    what: "a message",
    path: async ({ openai }: Tenant) => `/threads/${(await openai.beta.threads.create()).id}/messages`,
    rest: { role: "user", content: "Hi" },
  },
];

const fill = (pairs: number) => Object.fromEntries(Array.from({ length: pairs }, (_, number) => [`key${number}`, "v"]));

test.for(RESOURCES)(
  "$what takes sixteen pairs of metadata, long keys and values among them",
  async ({ path, rest }) => {
    const tenant = newTenant();
    const metadata = { ...fill(15), ["k".repeat(64)]: "v".repeat(512) };

    const { status, body } = await tenant.send("POST", await path(tenant), { ...rest, metadata });

    expect({ status, body }).toMatchObject({ status: 200, body: { metadata } });
  },
);

test.for(RESOURCES)("metadata of $what that is null comes back empty", async ({ path, rest }) => {
  const tenant = newTenant();

  const { body } = await tenant.send("POST", await path(tenant), { ...rest, metadata: null });

  expect(body).toMatchObject({ metadata: {} });
});

const REFUSED = [
  {
    what: "a value that is no string",
    metadata: { modified: true },
    message: "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.",
    param: "metadata.modified",
    code: "invalid_type",
  },
  {
    what: "seventeen pairs",
    metadata: fill(17),
    message:
      "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, " +
      "but got an object with 17 properties instead.",
    param: "metadata",
    code: "object_above_max_properties",
  },
  {
    what: "a value of 513 characters",
    metadata: { k: "v".repeat(513) },
    message:
      "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, " +
      "but got a string with length 513 instead.",
    param: "metadata.k",
    code: "string_above_max_length",
  },
  {
    what: "a key of 65 characters",
    metadata: { ["k".repeat(65)]: "v" },
    message:
      "Invalid 'metadata': property name too long. Expected property names with maximum length 64, " +
      "but got one with length 65 instead.",
    param: "metadata",
    code: "property_name_above_max_length",
  },
  {
    what: "a list",
    metadata: ["v"],
    message: "Invalid type for 'metadata': expected an object, but got an array instead.",
    param: "metadata",
    code: "invalid_type",
  },
];

test.for(REFUSED)(
  "metadata with $what is refused everywhere, and told why",
  async ({ metadata, message, param, code }) => {
    const tenant = newTenant();

    for (const { path, rest } of RESOURCES) {
      const { status, body } = await tenant.send("POST", await path(tenant), { ...rest, metadata });
      const expected = refused(400, message, param, code);
      expect({ status, body }).toEqual({ status: expected.status, body: { error: expected.error } });
    }
  },
);

test("keys with dots, slashes and names of JavaScript's own are plain keys", async () => {
  const { openai } = newTenant();
  const metadata = { "a.b": "1", "/c/d": "2", "e f": "3", constructor: "4", "": "5", ü: "6" };

  const thread = await openai.beta.threads.create({ metadata });

  expect(await openai.beta.threads.retrieve(thread.id)).toMatchObject({ metadata });
});
