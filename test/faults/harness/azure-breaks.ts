/** Ways to make the local servers kinder than Azure again, or the app as if they were, that tests must notice. */
import { type Break, edit, editAt, of } from "./break.ts";

const CAPACITY = "test/local/cosmos/capacity.test.ts";
const HTTP = "test/local/functions/http.test.ts";
const IDENTITY = "test/unit/identity.test.ts";
const FIRST_HOUR = "test/tools/first-hour/broken.test.ts";
const BENCH = "test/settings/bench.test.ts";
const PURGES = "test/unit/threads/purge.test.ts";

const PRICES: Break[] = [
  of(
    8,
    "a read costs the same at every consistency",
    [editAt("local/cosmos/views.ts", "isStrong(levelOf(settings, headers)) ? 2 : 1;", "1;")],
    { caughtBy: CAPACITY, named: "twice as high at Strong" },
  ),
  of(
    8,
    "what expires costs nothing",
    [
      editAt(
        "local/cosmos/account.ts",
        "onExpired: (item) => this.#onExpired?.(container.id, deleteCharge(item)),",
        "",
      ),
    ],
    { caughtBy: CAPACITY, named: "of expired items" },
  ),
  of(
    8,
    "the bench does not count what expires",
    [editAt("bench/cost/account.ts", "await stored.expire(sample.partition);", "0;")],
    { caughtBy: BENCH, named: "priced for both kinds of account" },
  ),
  of(
    8,
    "a serverless account carries any load",
    [editAt("local/cosmos/throughput.ts", "return SERVERLESS_THROUGHPUT;", "return undefined;")],
    { caughtBy: CAPACITY, named: "of a serverless account" },
  ),
  of(
    8,
    "a container that is created without any throughput has no limit",
    [
      editAt(
        "local/cosmos/throughput.ts",
        'capacity === "provisioned" ? { throughput, autoscale } : undefined;',
        "undefined;",
      ),
    ],
    { caughtBy: CAPACITY, named: "400 RU/s on a provisioned account" },
  ),
  of(
    8,
    "the first hour takes 400 RU/s for enough",
    [editAt("tools/first-hour/checks/account.ts", "LEAST_THROUGHPUT = 1_000", "LEAST_THROUGHPUT = 400")],
    { caughtBy: FIRST_HOUR, named: "default of 400" },
  ),
  of(
    8,
    "a look that answers 304 is always cheap",
    [editAt("local/cosmos/documents.ts", 'status === 304 && item && notModified === "document"', "false")],
    { caughtBy: CAPACITY, named: "of a read that answers 304" },
  ),
  of(
    8,
    "the first hour does not look at the price of a look",
    [
      editAt(
        "tools/first-hour/checks/prices.ts",
        "unless(large.etag))).requestCharge, 2.5]",
        "unless(large.etag))).requestCharge, 250]",
      ),
    ],
    { caughtBy: FIRST_HOUR, named: "a look that costs as much" },
  ),
];

const HOSTS: Break[] = [
  of(
    8,
    "every host serves all functions, whatever its scale group",
    [editAt("local/functions/host.ts", "groupFilter(options.scaleGroup)", "groupFilter(undefined)")],
    { caughtBy: "test/local/functions/scale-groups.test.ts" },
  ),
  of(
    8,
    "the instances that are always ready are of a function that there is not",
    [editAt("infra/snapshots/private.snapshot.json", '"function:run-worker"', '"function:runs-worker"')],
    { caughtBy: "test/infra/rules.test.ts" },
  ),
  of(
    8,
    "an empty segment of a path is left out, also at its beginning",
    [editAt("local/functions/routes.ts", 'bare.split("/");', 'bare.split("/").filter(Boolean);')],
    { caughtBy: HTTP, named: "answers 404 on //api/items/7" },
  ),
  of(
    8,
    "a request line may be as long as it likes",
    [editAt("local/functions/http.ts", "if (line.length > MAX_REQUEST_LINE) return 414;", "")],
    { caughtBy: HTTP, named: "refuses a request line of 8 KB" },
  ),
  of(8, "headers may be as large as they like", [editAt("local/functions/http.ts", "headers > MAX_HEADERS || ", "")], {
    caughtBy: HTTP,
    named: "refuses headers of 32 KB",
  }),
  of(
    8,
    "a path may hold a zero byte",
    [editAt("local/functions/http.ts", "/%00/.test(path) ? 400 : undefined", "undefined")],
    { caughtBy: HTTP, named: "refuses a zero byte" },
  ),
];

const IDENTITIES: Break[] = [
  of(
    8,
    "the store takes no tokens of identities",
    [editAt("local/cosmos/auth.ts", 'if (token?.[1] === "aad" &&', 'if (token?.[1] === "none" &&')],
    { caughtBy: IDENTITY, named: "is let in by the store and the queue" },
  ),
  of(
    8,
    "the queue takes no tokens of identities",
    [editAt("local/service-bus/claims.ts", "if (type !== ENTRA_TOKEN_TYPE || tokens === undefined)", "if (true)")],
    { caughtBy: IDENTITY, named: "is let in by the store and the queue" },
  ),
  of(
    8,
    "the app does not say which of its identities it means",
    [edit("managed-identity.ts", "...(clientId !== undefined && { clientId }),", "")],
    { caughtBy: IDENTITY, named: "the user-assigned identity" },
  ),
  of(
    8,
    "the host does not say which identity opens its queue",
    [
      editAt("local/functions/service-bus.ts", "clientId ? { clientId } : {}", "{}"),
      editAt("local/functions/service-bus.ts", "clientId ? { managedIdentityClientId: clientId } : {}", "{}"),
    ],
    { caughtBy: "test/identity/identity.test.ts", named: "code for Azure OpenAI holds a conversation" },
  ),
];

const SWEEPS: Break[] = [
  of(
    8,
    "the sweep purges deleted threads itself",
    [
      edit("runs/sweep.ts", "import { purgeWakeUp }", "import { purge, purgeWakeUp }"),
      edit(
        "runs/sweep.ts",
        'await send(engine, now, wakeUps);\n  report(engine, now, "deleted threads"',
        'for (const { job } of wakeUps) await purge(engine, job as never);\n  report(engine, now, "deleted threads"',
      ),
    ],
    { caughtBy: PURGES, named: "only sends" },
  ),
  of(
    8,
    "a thread is purged in one go, however many documents it has",
    [edit("threads/purge.ts", "SLICE_DOCUMENTS = 500", "SLICE_DOCUMENTS = 20_000")],
    { caughtBy: PURGES, named: "in slices of 500" },
  ),
];

export const AZURE_BREAKS: Break[] = [...PRICES, ...HOSTS, ...IDENTITIES, ...SWEEPS];
