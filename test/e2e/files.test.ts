/** Files: sent, listed, read, downloaded and deleted, in both forms of the API. */

import type OpenAI from "openai";
import { toFile } from "openai";
import { describe, expect, test } from "vitest";
import { aTime, FORMS, newTenant, type Refusal, refusal, refused, send, type Tenant } from "./harness.ts";

const text = (content: string, name = "notes.txt") => toFile(Buffer.from(content), name);

describe.each(FORMS)("in the form of $form", ({ clientOf }) => {
  test("a file comes back byte for byte until it is deleted", async () => {
    const client = clientOf(newTenant());
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    const file = await client.files.create({ file: await toFile(bytes, "numbers.json"), purpose: "assistants" });
    expect(file).toEqual({
      id: expect.stringMatching(/^file-[0-9A-Za-z]{24}$/),
      object: "file",
      bytes: 70_000,
      created_at: aTime,
      expires_at: null,
      filename: "numbers.json",
      purpose: "assistants",
      status: "processed",
      status_details: null,
    });
    expect(await client.files.retrieve(file.id)).toEqual(file);
    const content = await client.files.content(file.id);
    expect(content.headers.get("content-type")).toBe("application/octet-stream");
    expect(content.headers.get("content-disposition")).toBe('attachment; filename="numbers.json"');
    expect(bytes.equals(Buffer.from(await content.arrayBuffer()))).toBe(true);
    expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: "file", deleted: true });
    const gone = refused(404, `No such File object: ${file.id}`, "id");
    expect(await refusal(client.files.retrieve(file.id))).toEqual(gone);
    expect(await refusal(client.files.content(file.id))).toEqual(gone);
    expect(await refusal(client.files.delete(file.id))).toEqual(gone);
  });
});

test("files are listed by purpose, from any cursor", async () => {
  const { openai } = newTenant();
  const files: OpenAI.FileObject[] = [];
  for (const purpose of ["assistants", "user_data", "assistants"] as const) {
    files.unshift(await openai.files.create({ file: await text("x"), purpose }));
  }
  const ids = async (query: OpenAI.FileListParams) => (await openai.files.list(query)).data.map(({ id }) => id);
  const all = files.map(({ id }) => id);
  expect(await ids({})).toEqual(all);
  expect(await ids({ order: "asc" })).toEqual(all.toReversed());
  expect(await ids({ purpose: "assistants" })).toEqual([all[0], all[2]]);
  expect(await ids({ purpose: "assistants", after: all[1] ?? "" })).toEqual([all[2]]);
  expect(await ids({ limit: 2 })).toEqual(all.slice(0, 2));
  expect(await ids({ purpose: "vision" })).toEqual([]);
});

/** What a client of another language sends, as it stands on the wire. */
const FORMS_OF_CLIENTS = [
  {
    client: ".NET",
    type: 'multipart/form-data; boundary="4LFnphESb_LyEAUITdRwGdnjWMboSDFtGUIuZzVBqQc32GFDrhYGSJWzQ1vAUaozERJQ=h"',
    boundary: "4LFnphESb_LyEAUITdRwGdnjWMboSDFtGUIuZzVBqQc32GFDrhYGSJWzQ1vAUaozERJQ=h",
    parts: [
      "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=purpose\r\n\r\nassistants",
      "Content-Disposition: form-data; name=file; filename=test.txt; filename*=utf-8''test.txt\r\n\r\nHello world!",
    ],
    filename: "test.txt",
  },
  {
    client: ".NET with a Chinese name",
    type: 'multipart/form-data; boundary="b=1"',
    boundary: "b=1",
    parts: [
      "Content-Disposition: form-data; name=purpose\r\n\r\nassistants",
      'Content-Disposition: form-data; name=file; filename="=?utf-8?B?5L2g5aW9LnR4dA==?="; ' +
        "filename*=utf-8''%E4%BD%A0%E5%A5%BD.txt\r\n\r\nHello world!",
    ],
    filename: "你好.txt",
  },
  {
    client: "Ruby, the purpose last",
    type: "multipart/form-data; boundary=-----------RubyMultipartPost-9d4b0857",
    boundary: "-----------RubyMultipartPost-9d4b0857",
    parts: [
      'Content-Disposition: form-data; name="file"; filename="text.txt"\r\nContent-Length: 12\r\nContent-Type: \r\n' +
        "Content-Transfer-Encoding: binary\r\n\r\nHello world!",
      'Content-Disposition: form-data; name="purpose"\r\n\r\nassistants',
    ],
    filename: "text.txt",
  },
  {
    client: "curl with a path and raw UTF-8",
    type: "multipart/form-data; boundary=x",
    boundary: "x",
    parts: [
      'Content-Disposition: form-data; name="file"; filename="../a/grüße.TXT"\r\n\r\nHello world!',
      'Content-Disposition: form-data; name="purpose"\r\n\r\nassistants',
    ],
    filename: "grüße.TXT",
  },
];

const formOf = (boundary: string, parts: string[], end = `--${boundary}--\r\n`) =>
  parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("") + end;

/** A form sent by hand to /files. */
async function post({ key }: Tenant, body: string, type = "multipart/form-data; boundary=x", path = "/v1/files") {
  return send(path, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": type }, body });
}

test.each(FORMS_OF_CLIENTS)("the form of $client is read", async ({ type, boundary, parts, filename }) => {
  const { status, body } = await post(newTenant(), formOf(boundary, parts), type);
  expect({ status, body }).toMatchObject({ status: 200, body: { filename, bytes: 12, purpose: "assistants" } });
});

const PURPOSE = 'Content-Disposition: form-data; name="purpose"\r\n\r\nassistants';
const FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHello';
const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`;

const WRONG: [what: string, parts: string[], refusal: Refusal, end?: string][] = [
  ["no purpose", [FILE], missing("purpose")],
  ["no file", [PURPOSE], missing("file")],
  [
    "a wrong purpose",
    [FILE, field("purpose", "world_domination")],
    refused(
      400,
      "'world_domination' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'",
      "purpose",
    ),
  ],
  [
    "a wrong extension",
    [FILE, field("purpose", "vision")],
    refused(400, 'Invalid extension txt. Supported formats: "gif", "jpeg", "jpg", "png", "webp"'),
  ],
  ["an empty file", [PURPOSE, FILE.replace("Hello", "")], refused(400, "File is empty.")],
  [
    "a file without a name",
    [PURPOSE, field("file", "Hello")],
    refused(400, "Invalid 'file': the file has no name. Send the part with a filename.", "file", "invalid_value"),
  ],
  [
    "a field that is too long, before its file",
    [field("note", "x".repeat(2_000)), PURPOSE, FILE],
    refused(400, "The form is too large: a field has more than 1024 bytes.", null, "form_too_large"),
  ],
  ["an end in the middle of the file", [PURPOSE, FILE], broken(), ""],
  ["an end in the middle of a field", [FILE, PURPOSE], broken(), ""],
  [
    "a life that is too short",
    [PURPOSE, field("expires_after[anchor]", "created_at"), field("expires_after[seconds]", "60"), FILE],
    refused(
      400,
      "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 60 instead.",
      "expires_after.seconds",
      "integer_below_min_value",
    ),
  ],
];

function missing(name: string) {
  return refused(400, `Missing required parameter: '${name}'.`, name, "missing_required_parameter");
}

function broken() {
  return refused(400, "The request body is no complete form: it ends early, or a part of it is malformed.");
}

test.each(WRONG)("a form with %s is refused, and nothing is stored", async (_, parts, { status, error }, end) => {
  const tenant = newTenant();
  expect(await post(tenant, formOf("x", parts, end))).toMatchObject({ status, body: { error } });
  expect((await tenant.openai.files.list()).data).toEqual([]);
});

test("a body that is no form is refused", async () => {
  const text = "The request body is no form. Send it as multipart/form-data with a boundary.";
  for (const type of ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"]) {
    expect(await post(newTenant(), "{}", type)).toMatchObject({ status: 400, body: { error: { message: text } } });
  }
});

test("a file lives as long as it is told to, and one for a batch 30 days", async () => {
  const { openai } = newTenant();
  const told = await openai.files.create({
    file: await text("x"),
    purpose: "assistants",
    expires_after: { anchor: "created_at", seconds: 3_600 },
  });
  expect(told.expires_at).toBe(told.created_at + 3_600);
  const batch = await openai.files.create({ file: await text("{}", "requests.jsonl"), purpose: "batch" });
  expect(batch.expires_at).toBe(batch.created_at + 30 * 86_400);
});

test("a name with other characters than ASCII's stands twice in the header of a download", async () => {
  const { openai } = newTenant();
  const file = await openai.files.create({ file: await text("x", 'naïve "plan".txt'), purpose: "user_data" });
  const { headers } = await openai.files.content(file.id);
  expect(headers.get("content-disposition")).toMatch(/^attachment; filename="[ -~]+"; filename\*=UTF-8''na%C3%AFve%20/);
});

test("a request without a key is refused though its file is large", async () => {
  const body = formOf("x", [PURPOSE, FILE.replace("Hello", "x".repeat(3_000_000))]);
  const headers = { "content-type": "multipart/form-data; boundary=x" };
  expect((await send("/v1/files", { method: "POST", headers, body })).status).toBe(401);
});
