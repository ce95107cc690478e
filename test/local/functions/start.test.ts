import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startAndFail, startHostProcess, until } from "./host-process.ts";

describe("an app that cannot start", () => {
  it.each([
    ["setting", 'MODEL_ENDPOINT must be a URL, not "nonsense".'],
    ["hook", "The database did not answer."],
    ["nothing", "The app registered no function with @azure/functions."],
    ["topic", 'Function "news": Service Bus topics are not supported by this host.'],
    ["sessions", 'Function "orderly": Service Bus sessions are not supported by this host.'],
    ["connection", "The Service Bus connection BUS (or BUS__fullyQualifiedNamespace) is not set."],
    ["trigger", 'Function "stored": a queueTrigger is not supported by this host.'],
    ["output", 'Function "writes": its binding "out" (queue) is not supported by this host.'],
    ["constraint", 'Function "odd": There is no route constraint "colour".'],
    ["route", 'Function "odd": Route segment "{name}.{ext}" is of a form that this host does not support.'],
    ["schedule", "The schedule expression '@hourly' was not recognized as a valid cron expression or timespan string."],
  ])("stops with the message alone: %s", async (fault, message) => {
    const { code, output } = await startAndFail("faulty", {
      env: { FAULT: fault, ...(fault === "topic" || fault === "sessions" ? { BUS: connectionString } : {}) },
    });
    expect(output).toBe(`${message}\n`);
    expect(code).toBe(1);
  });

  it("names the setting that a binding refers to and that is not set", async () => {
    const { output } = await startAndFail("faulty", { env: { FAULT: "placeholder", BUS: connectionString } });
    expect(output).toBe("'%QUEUE%' does not resolve to a value.\n");
  });

  it("shows the place of a programming error", async () => {
    const { code, output } = await startAndFail("faulty", { env: { FAULT: "bug" } });
    expect(output).toMatch(/TypeError: Cannot read properties.*\n.*faulty\/main\.mjs:\d+/);
    expect(code).toBe(1);
  });

  it("names the port when it is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    try {
      const { code, output } = await startAndFail("commonjs", { args: ["--port", String(port)] });
      expect(output).toBe(`functions: port ${port} is in use.\n`);
      expect(code).toBe(1);
    } finally {
      server.close();
    }
  });
});

describe("a host process", () => {
  it("serves CommonJS apps too, and says on standard output where it listens", async () => {
    const host = await startHostProcess("commonjs");
    expect(host.output()).toBe(`functions ready on ${host.url}\n`);
    expect(await (await fetch(`${host.url}/api/hello?name=you`)).text()).toBe("hello you");
    expect(await host.stop()).toBe(0);
  });

  it("leaves out functions that are disabled", async () => {
    const host = await startHostProcess("faulty", {
      env: { FAULT: "disabled", "AzureWebJobs.stored.Disabled": "true" },
    });
    const listed = await (await fetch(`${host.url}/admin/functions`)).json();
    expect(listed).toMatchObject([{ name: "fine" }]);
    await host.stop();
  });

  it("does not wait for clients that are connected and ask for nothing", async () => {
    const host = await startHostProcess("commonjs");
    const client = connect(host.port, "127.0.0.1");
    await once(client, "connect");
    await fetch(`${host.url}/api/hello`);
    const begin = Date.now();
    expect(await host.stop()).toBe(0);
    expect(Date.now() - begin).toBeLessThan(5000);
    client.destroy();
  });

  it.each(["on", "off"])("lets handlers finish before it stops, with streaming %s", async (streaming) => {
    const host = await startHostProcess("web", { env: { STREAMING: streaming } });
    const response = fetch(`${host.url}/api/slow`);
    await until(() => host.output().includes("slow started"));
    const exit = host.stop();
    expect(await (await response).text()).toBe("finished");
    expect(await exit).toBe(0);
    expect(host.output()).toContain("terminating");
  });

  it("waits for handlers no longer than the grace", async () => {
    const host = await startHostProcess("web", { args: ["--grace", "0.2"], env: { STREAMING: "on" } });
    const response = fetch(`${host.url}/api/slow`).catch(() => "cut off");
    await until(() => host.output().includes("slow started"));
    expect(await host.stop()).toBe(0);
    expect(await response).toBe("cut off");
    expect(host.output()).toContain("stopped while 1 handlers were still running");
  });

  it("gives the appTerminate hooks 5 s, and no longer", async () => {
    const patient = await startHostProcess("web", { env: { TERMINATE_MS: "100" } });
    expect(await patient.stop()).toBe(0);
    expect(patient.output()).toContain("terminated");

    const cut = await startHostProcess("web", { args: ["--terminate-grace", "0.2"], env: { TERMINATE_MS: "600000" } });
    expect(await cut.stop()).toBe(0);
    expect(cut.output()).not.toContain("terminated");
    expect(cut.output()).toContain("the appTerminate hooks had not ended after 0.2 s");
  });

  it("ends, and every invocation with it, when a function takes longer than functionTimeout", async () => {
    const env = { STREAMING: "on", AzureFunctionsJobHost__functionTimeout: "00:00:01" };
    const host = await startHostProcess("web", { env });
    const exit = once(host.child, "exit");
    const hanging = fetch(`${host.url}/api/hangs`).catch(() => "cut off");
    const neighbour = (await fetch(`${host.url}/api/endless`)).text().catch(() => "cut off");
    expect(await Promise.all([hanging, neighbour])).toEqual(["cut off", "cut off"]);
    expect(await exit).toEqual([3, null]);
    expect(host.output()).toMatch(/error (hangs|endless) Timeout value of 1 s was exceeded by function/);
  });

  it("serves the functions of one scale group only, if told so", async () => {
    const names = async (group: string) => {
      const host = await startHostProcess("clock", { args: ["--scale-group", group], env: { EVERY: "00:00:30" } });
      const listed = (await (await fetch(`${host.url}/admin/functions`)).json()) as { name: string }[];
      await host.stop();
      return listed.map(({ name }) => name);
    };
    expect(await names("http")).toEqual(["runs", "block"]);
    expect(await names("function:SLOW")).toEqual(["slow"]);
    const { output } = await startAndFail("clock", { args: ["--scale-group", "timers"] });
    expect(output).toBe('A scale group is "http" or "function:NAME", not "timers".\n');
  });

  it("exits at once on a second signal", async () => {
    const host = await startHostProcess("web", { env: { STREAMING: "on" } });
    const endless = (await fetch(`${host.url}/api/endless`)).text().catch(() => "cut off");
    const exit = host.stop();
    await until(async () => (await fetch(host.url).catch(() => "refused")) === "refused");
    host.child.kill("SIGTERM");
    expect(await exit).toBe(1);
    expect(await endless).toBe("cut off");
  });

  it("ends when its parent goes away", async () => {
    const host = await startHostProcess("commonjs");
    host.child.disconnect();
    await Promise.race([once(host.child, "exit"), sleep(5000).then(() => Promise.reject(new Error("still there")))]);
    expect(host.child.exitCode).toBe(0);
  });
});

// Well formed, and no server listens there: enough for triggers that are refused before they connect.
const connectionString =
  "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=a2V5;UseDevelopmentEmulator=true";
