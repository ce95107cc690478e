/** Requests to Azurite as an SDK signs them, with the key of a connection string. */
import { createHmac } from "node:crypto";

const VERSION = "2021-12-02";

export class BlobClient {
  readonly #endpoint: string;
  readonly #account: string;
  readonly #key: string;

  constructor(connectionString: string, key?: string) {
    const part = (name: string) => new RegExp(`${name}=([^;]+)`).exec(connectionString)?.[1] ?? "";
    this.#endpoint = part("BlobEndpoint");
    this.#account = part("AccountName");
    this.#key = key ?? part("AccountKey");
  }

  createContainer(name: string): Promise<Response> {
    return this.#send("PUT", `/${name}?restype=container`);
  }

  write(blob: string, text: string): Promise<Response> {
    return this.#send("PUT", `/${blob}`, text);
  }

  read(blob: string): Promise<Response> {
    return this.#send("GET", `/${blob}`);
  }

  /** Shared Key: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
  #send(method: string, path: string, body?: string): Promise<Response> {
    const url = new URL(this.#endpoint + path);
    const headers: Record<string, string> = {
      ...(body !== undefined && { "x-ms-blob-type": "BlockBlob" }),
      "x-ms-date": new Date().toUTCString(),
      "x-ms-version": VERSION,
    };
    const names = Object.keys(headers).toSorted();
    const query = [...url.searchParams].map(([name, value]) => `\n${name}:${value}`).join("");
    const toSign = [
      method,
      "",
      "",
      body ? String(Buffer.byteLength(body)) : "",
      "",
      body === undefined ? "" : "text/plain",
      ...["", "", "", "", "", ""],
      ...names.map((name) => `${name}:${headers[name]}`),
      // The account stands in the path as well, as the emulator's URLs have it.
      `/${this.#account}${url.pathname}${query}`,
    ].join("\n");
    const signature = createHmac("sha256", Buffer.from(this.#key, "base64")).update(toSign).digest("base64");
    headers.authorization = `SharedKey ${this.#account}:${signature}`;
    if (body !== undefined) headers["content-type"] = "text/plain";
    return fetch(url, { method, headers, ...(body !== undefined && { body }) });
  }
}
