/** Clients with tokens of identities, which speak TLS only. */
import { ServiceBusClient } from "@azure/service-bus";
import { expect, onTestFinished, test } from "vitest";
import { startIdentity } from "../../../local/identity/server.ts";
import { trust } from "../../lib/trust.ts";
import { only, startBroker, until } from "./support.ts";

const AUDIENCE = "https://servicebus.azure.net/";

async function world() {
  const directory = await startIdentity({ tenantId: "d", secret: "s" });
  onTestFinished(() => directory.stop());
  const broker = await startBroker({ tls: true, issuer: directory.authority, queues: [{ name: "orders" }] });
  trust(broker.certificate);
  return { directory, broker };
}

/** A client that believes its tokens to be good for an hour, so that it renews none. */
function clientOf(port: number, token: () => string, maxRetries = 0): ServiceBusClient {
  const getToken = async () => ({ token: token(), expiresOnTimestamp: Date.now() + 3_600_000 });
  const retryOptions = { maxRetries, retryDelayInMs: 50, timeoutInMs: 5_000 };
  const client = new ServiceBusClient(`127.0.0.1:${port}`, { getToken }, { retryOptions });
  onTestFinished(() => client.close());
  return client;
}

test("a client with a token sends, receives and looks, by host and port alone", async () => {
  const { directory, broker } = await world();
  const token = directory.directory.issue({ clientId: "app" }, { audience: AUDIENCE, lifetime: 60 });
  const client = clientOf(broker.port, () => token);
  await client.createSender("orders").sendMessages({ body: "one" });
  const receiver = client.createReceiver("orders");
  expect((await receiver.peekMessages(1)).map(({ body }) => body)).toEqual(["one"]);
  const message = only(await receiver.receiveMessages(1));
  await receiver.completeMessage(message);
});

test.each([
  ["of another resource", { audience: "https://vault.azure.net", lifetime: 60 }, "InvalidAudience"],
  ["that has expired", { audience: AUDIENCE, lifetime: -1 }, "ExpiredToken"],
])("a token %s is refused", async (_, options, reason) => {
  const { directory, broker } = await world();
  const client = clientOf(broker.port, () => directory.directory.issue({ clientId: "app" }, options));
  await expect(client.createSender("orders").sendMessages({ body: 1 })).rejects.toThrow(reason);
});

test("a token that the directory has not signed is refused", async () => {
  const { directory, broker } = await world();
  const token = directory.directory.issue({ clientId: "app" }, { audience: AUDIENCE, lifetime: 60 });
  const client = clientOf(broker.port, () => token.replace(/\.[^.]*$/, ".AAAA"));
  await expect(client.createSender("orders").sendMessages({ body: 1 })).rejects.toThrow("InvalidSignature");
});

test("a broker that knows no directory refuses every token", async () => {
  const { directory } = await world();
  const broker = await startBroker({ tls: true, queues: [{ name: "orders" }] });
  trust(broker.certificate);
  const token = directory.directory.issue({ clientId: "app" }, { audience: AUDIENCE, lifetime: 60 });
  const client = clientOf(broker.port, () => token);
  await expect(client.createSender("orders").sendMessages({ body: 1 })).rejects.toThrow("InvalidType");
});

test("when a token ends that was not replaced, its links end, and a client comes again with another", async () => {
  const { directory, broker } = await world();
  const tokens: string[] = [];
  const client = clientOf(
    broker.port,
    () => {
      tokens.push(directory.directory.issue({ clientId: "app" }, { audience: AUDIENCE, lifetime: 2 }));
      return tokens.at(-1) ?? "";
    },
    3,
  );
  const sender = client.createSender("orders");
  await sender.sendMessages({ body: 1 });
  const links = () => [...broker.connections].reduce((sum, { linkCount }) => sum + linkCount, 0);
  const open = links();
  await until(() => links() < open);
  await sender.sendMessages({ body: 2 });
  expect(tokens.length).toBe(2);
});
