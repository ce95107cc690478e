import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** A certificate that signs itself, and its private key, both as PEM. */
export interface Certificate {
  certificate: string;
  key: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const VALID_DAYS = 365;

const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, text: 0x0c, time: 0x17 };
const SEQUENCE = 0x30;
const SET = 0x31;
const OID = { ecdsaWithSha256: "2a8648ce3d040302", commonName: "550403", constraints: "551d13", names: "551d11" };

/**
 * The certificate of a file and the key beside it (`FILE.key`), made unless they are there: a server that starts again
 * is still trusted.
 */
export function certificateOf(file: string): Certificate {
  const keyFile = `${file}.key`;
  if (existsSync(file) && existsSync(keyFile)) {
    return { certificate: readFileSync(file, "utf8"), key: readFileSync(keyFile, "utf8") };
  }
  const made = selfSigned();
  writeFileSync(keyFile, made.key, { mode: 0o600 });
  writeFileSync(file, made.certificate);
  return made;
}

/** Makes a certificate (X.509, ECDSA on P-256) for 127.0.0.1 and localhost, valid from yesterday for a year. */
export function selfSigned(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  // One of its own for each: of two trusted certificates with the same name, clients look at one only.
  const commonName = Buffer.from(`local server ${randomBytes(4).toString("hex")}`);
  const name = sequence(der(SET, sequence(oid(OID.commonName), der(TAG.text, commonName))));
  const now = Date.now();
  const signed = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(time(now - DAY_MS), time(now + VALID_DAYS * DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(constraints(), names())),
  );
  const signature = der(TAG.bits, Buffer.from([0]), sign("sha256", signed, privateKey));
  return {
    certificate: pem(sequence(signed, algorithm, signature)),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/** It is its own authority, so a client that trusts it needs nothing else. */
const constraints = () => sequence(oid(OID.constraints), yes(), der(TAG.octets, sequence(yes())));

function names(): Buffer {
  const dns = der(0x82, Buffer.from("localhost"));
  const address = der(0x87, Buffer.from([127, 0, 0, 1]));
  return sequence(oid(OID.names), der(TAG.octets, sequence(dns, address)));
}

const yes = () => der(TAG.boolean, Buffer.from([0xff]));
const oid = (bytes: string) => der(TAG.oid, Buffer.from(bytes, "hex"));
const sequence = (...parts: Buffer[]) => der(SEQUENCE, ...parts);

/** `YYMMDDhhmmssZ` */
const time = (at: number) =>
  der(TAG.time, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));

/** A value in the encoding of ASN.1 that certificates use (DER): tag, length, content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
