/** `npm run key -- [tenant]`: makes an API key and what the setting API_KEYS needs to know of it. */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { apiKeys, DIGEST_PREFIX, digestOf } from "../../src/access-settings.ts";

const USAGE = `npm run key -- [tenant]

Makes a random API key for a tenant (lower-case letters, digits and dashes; "default" if none is named) and prints it
once, with its digest for the setting API_KEYS: who reads the setting cannot use it. Nothing is stored.`;

/** Bytes: too many to be guessed, also by those who know the digest. */
const KEY_SIZE = 32;

function main(): number {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", default: false } },
  });
  const [tenant = "default", ...rest] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const key = `tk-${randomBytes(KEY_SIZE).toString("base64url")}`;
  const entry = `${tenant}:${DIGEST_PREFIX}${digestOf(key)}`;
  if (rest.length > 0 || !apiKeys.safeParse(entry).success) {
    console.error(`"${positionals.join(" ")}" is no tenant: use lower-case letters, digits and dashes.`);
    return 1;
  }
  console.log(`Key, for the client (it is shown only here):\n\n  ${key}\n`);
  console.log(`Entry for the setting API_KEYS (comma separated, beside those that it has):\n\n  ${entry}`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exitCode = 1;
}
