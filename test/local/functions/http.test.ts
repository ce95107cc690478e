import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HostProcess, startHostProcess, until } from "./host-process.ts";

describe.each(["on", "off"])("an app with HTTP streaming %s", (streaming) => {
  let host: HostProcess;
  const get = (path: string, init?: RequestInit) => fetch(`${host.url}${path}`, init);
  const json = async (path: string, init?: RequestInit) => (await get(path, init)).json();

  beforeAll(async () => {
    // Written here as git ignores files of this name.
    await writeFile(
      new URL("./fixtures/web/local.settings.json", import.meta.url),
      JSON.stringify({ Values: { FROM_LOCAL_SETTINGS: "yes", SET_OUTSIDE: "from the file" } }),
    );
    host = await startHostProcess("web", { env: { STREAMING: streaming, SET_OUTSIDE: "from the environment" } });
  });
  afterAll(async () => {
    expect(await host.stop()).toBe(0);
  });

  it.each([
    ["/api/items/latest", "a-latest", {}],
    ["/api/Items/LATEST/", "a-latest", {}],
    ["/api/items/7", "B-number", { id: "7" }],
    ["/api/items/seven", "c-any", { id: "seven" }],
    ["/api/items/s%20p%2Fe", "c-any", { id: "s p%2Fe" }],
    ["/api/items/7/parts/8", "d-deep", { id: "7", part: "8" }],
    ["/api/items/7/parts", "d-deep", { id: "7" }],
    ["/api/items/7/other/8", "rest", { rest: "7/other/8" }],
    ["/api/items/7//8", "rest", { rest: "7//8" }],
    ["/api/items/%ff", "c-any", { id: "%ff" }],
    ["/api/items/50%", "c-any", { id: "50%" }],
    ["/api/shadows/deep", "Greedy", { rest: "deep" }],
    ["/api/keys/abcd", "length", { key: "abcd" }],
  ])("finds the function for %s: the first that matches, in the order of their names", async (path, name, params) => {
    expect(await json(path)).toEqual({ name, params });
  });

  it("takes the connection's next request when the app has not read the body of the one before", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const status = (path: string, method: string, body: Buffer) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = http.request(`${host.url}${path}`, { method, agent }, (response) => {
          response.resume().once("end", () => resolve(response.statusCode));
        });
        request.once("error", reject).end(body);
      });
    for (const body of [Buffer.alloc(3_000_000), Buffer.alloc(0)]) {
      expect(await status("/api/items", "POST", body)).toBe(200);
    }
    agent.destroy();
  });

  it("picks the function by method on a shared route", async () => {
    expect(await json("/api/items", { method: "POST" })).toMatchObject({ name: "create" });
    expect((await get("/api/items", { method: "DELETE" })).status).toBe(404);
  });

  it.each(["/api/keys/ab", "/api/nowhere", "/items/7", "//api/items/7", "/api//items/7", "/api/shadows//deep"])(
    "answers 404 on %s",
    async (path) => {
      expect((await get(path)).status).toBe(404);
    },
  );

  it.each([
    ["a request line of 8 KB", "/api/items/7", `?x=${"y".repeat(8200)}`, {}, 414],
    ["headers of 32 KB", "/api/items/7", "", { a: "x".repeat(16_000), b: "x".repeat(17_000) }, 431],
    [
      "more than 100 headers",
      "/api/items/7",
      "",
      Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`h${n}`, "1"])),
      431,
    ],
    ["a zero byte in the path", "/api/items/%00", "", {}, 400],
  ])("refuses %s before any function is called", async (_, path, query, headers, status) => {
    expect((await get(path)).status).toBe(path.includes("%00") ? status : 200);
    expect((await get(`${path}${query}`, { headers })).status).toBe(status);
  });

  it("passes method, url, query, headers and body to the handler", async () => {
    const answer = await json("/api/echo?a=1&b=x%20y", {
      method: "PUT",
      headers: { "x-test": "hello" },
      body: "the body",
    });
    expect(answer).toEqual({
      method: "PUT",
      url: `${host.url}/api/echo?a=1&b=x%20y`,
      query: { a: "1", b: "x y" },
      header: "hello",
      body: "the body",
    });
  });

  it("passes a body of unknown length", async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 100; i++) controller.enqueue(new Uint8Array(10_000));
        controller.close();
      },
    });
    expect(await json("/api/size", { method: "POST", body, duplex: "half" })).toEqual({ bytes: 1_000_000 });
  });

  it("refuses a body over 100 MB without reading it", async () => {
    const request = http.request(`${host.url}/api/size`, {
      method: "POST",
      headers: { "content-length": 100 * 1024 * 1024 + 1 },
    });
    request.on("error", () => {});
    request.flushHeaders();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it("refuses a body of unknown length once it has read 100 MB of it", async () => {
    const request = http.request(`${host.url}/api/size`, { method: "POST" });
    request.on("error", () => {});
    const chunk = Buffer.alloc(1024 * 1024);
    for (let megabytes = 0; megabytes < 101; megabytes++) request.write(chunk);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it("returns status, headers and every cookie", async () => {
    const response = await get("/api/status");
    expect(response.status).toBe(418);
    expect(response.headers.get("x-pot")).toBe("tea");
    expect(response.headers.getSetCookie()).toEqual(["a=1; HttpOnly; SameSite=Lax", "b=2; Path=/"]);
    expect(await response.text()).toBe("short and stout");
  });

  it("keeps serving many requests at once on pooled connections", async () => {
    const answers: { body: string }[] = await Promise.all(
      Array.from(
        { length: 200 },
        async (_, i) =>
          (await get(`/api/echo?i=${i}`, { method: "POST", body: String(i) })).json() as Promise<{ body: string }>,
      ),
    );
    expect(answers.map((answer) => answer.body)).toEqual(answers.map((_, i) => String(i)));
  });

  it("loads local.settings.json below the environment", async () => {
    expect(await json("/api/settings")).toEqual({ file: "yes", outside: "from the environment" });
  });

  it("runs the app's hooks around an invocation", async () => {
    expect(await json("/api/hooked")).toMatchObject({ name: "hooked", hookData: { startedBy: "pre" } });
  });

  it("writes a log entry as one line, after the app's log hooks", async () => {
    await get("/api/log");
    const line = await until(() => host.output().match(/^.*two lines$/m)?.[0]);
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z information log the \*\*\* is out \| and has two lines$/);
  });

  it("refuses to register functions once it has started", async () => {
    expect(await (await get("/api/register-late")).text()).toBe(
      "A function can only be registered during app startup.",
    );
  });

  it("answers 500 when a handler throws, and logs the error", async () => {
    expect((await get("/api/throws")).status).toBe(500);
    await until(() => / error throws failed: Error: out of tea \| at /.test(host.output()));
  });

  it("is running, and lists its functions", async () => {
    expect(await json("/admin/host/status")).toMatchObject({ state: "Running" });
    const listed = await json("/admin/functions");
    expect(listed).toContainEqual({
      name: "B-number",
      trigger: "httpTrigger",
      route: "/api/items/{id:int}",
      methods: ["GET"],
    });
  });

  it("does not run an HTTP function through the admin API", async () => {
    expect((await get("/admin/functions/echo", { method: "POST" })).status).toBe(400);
    expect((await get("/admin/functions/unknown", { method: "POST" })).status).toBe(404);
  });
});

describe("with HTTP streaming on", () => {
  let host: HostProcess;
  beforeAll(async () => {
    host = await startHostProcess("web", { env: { STREAMING: "on" } });
  });
  afterAll(async () => {
    await host.stop();
  });

  it("a response arrives chunk by chunk, as the handler makes it", async () => {
    const response = await fetch(`${host.url}/api/chunks`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (const number of [1, 2, 3]) {
      expect(await reader?.read()).toEqual({ done: false, value: `data: ${number}\n\n` });
      await fetch(`${host.url}/api/next`, { method: "POST" });
    }
    expect(await reader?.read()).toMatchObject({ done: true });
  });

  it("a client that leaves is noticed by the app", async () => {
    const client = new AbortController();
    const response = await fetch(`${host.url}/api/endless`, { signal: client.signal });
    await response.body?.getReader().read();
    client.abort();
    await until(async () => (await (await fetch(`${host.url}/api/abandoned`)).text()) === '{"abandoned":1}');
  });

  it("says that Azure would hang the client of a handler that throws or returns nothing", async () => {
    expect((await fetch(`${host.url}/api/throws`)).status).toBe(500);
    expect((await fetch(`${host.url}/api/nothing`)).status).toBe(500);
    await until(() => /warning throws the handler threw while .* would hang/.test(host.output()));
    await until(() => /warning nothing the handler returned nothing while .* would hang/.test(host.output()));
  });

  it("headers of 16 KB are too many for the library's own server, behind the host's", async () => {
    const response = await fetch(`${host.url}/api/items/latest`, { headers: { a: "x".repeat(16_400) } });
    expect(response.status).toBe(431);
  });

  it("a client that names an invocation itself is never answered: the host adds its own id only if there is none", async () => {
    const leaving = new AbortController();
    const headers = { "x-ms-invocation-id": "00000000-0000-0000-0000-000000000000" };
    const answer = fetch(`${host.url}/api/items/latest`, { headers, signal: leaving.signal }).catch(() => "left");
    // Requests that are sent later are answered while this one is not.
    for (let turn = 0; turn < 20; turn++) await fetch(`${host.url}/api/items/latest`);
    leaving.abort();
    expect(await answer).toBe("left");
  });

  it("cuts a response whose body fails midway, and says so", async () => {
    const response = await fetch(`${host.url}/api/breaks`);
    await expect(response.text()).rejects.toThrow();
    await until(() => /warning breaks its response body failed midway/.test(host.output()));
  });

  it("gives query parameters to the handler as route parameters, as Azure does", async () => {
    const answer = await (await fetch(`${host.url}/api/items/latest?id=9&page=2`)).json();
    expect(answer).toEqual({ name: "a-latest", params: { id: "9", page: "2" } });
  });
});

describe("function keys", () => {
  let host: HostProcess;
  const status = async (path: string, key?: string) =>
    (await fetch(`${host.url}${path}`, { headers: key ? { "x-functions-key": key } : {} })).status;

  beforeAll(async () => {
    host = await startHostProcess("web", { args: ["--master-key", "m4ster", "--function-key", "f1n"] });
  });
  afterAll(async () => {
    await host.stop();
  });

  it("open functions of level function, in the header or in the query", async () => {
    expect(await status("/api/locked")).toBe(401);
    expect(await status("/api/locked", "wrong")).toBe(401);
    expect(await status("/api/locked", "f1n")).toBe(200);
    expect(await status("/api/locked?code=f1n")).toBe(200);
    expect(await status("/api/locked", "m4ster")).toBe(200);
  });

  it("of the master open functions of level admin and the admin API", async () => {
    expect(await status("/api/master", "f1n")).toBe(401);
    expect(await status("/api/master", "m4ster")).toBe(200);
    expect(await status("/admin/host/status")).toBe(401);
    expect(await status("/admin/host/status", "f1n")).toBe(401);
    expect(await status("/admin/host/status", "m4ster")).toBe(200);
  });

  it("are not asked for by anonymous functions", async () => {
    expect(await status("/api/items/latest")).toBe(200);
  });
});
