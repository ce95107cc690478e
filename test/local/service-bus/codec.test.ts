import fc from "fast-check";
import rhea from "rhea";
import { expect, test } from "vitest";
import {
  applicationPropertiesOf,
  bodyOf,
  encode,
  flipGuid,
  parse,
  unbatch,
  withApplicationProperties,
} from "../../../local/service-bus/codec.ts";
import { sectionsOf } from "../../../local/service-bus/sections.ts";

const stamp = {
  sequenceNumber: 7,
  enqueuedTime: 1_700_000_000_000,
  deliveryCount: 2,
  lockedUntil: 1_700_000_030_000,
  state: "deferred",
} as const;

const scalar = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.double({ noNaN: true, min: -1e12, max: 1e12 }), // rhea cannot encode whole doubles beyond 64 bits
  fc.maxSafeInteger(),
);
/** Property names: rhea keeps them in plain objects, so those of Object.prototype are left out. */
const name = fc.string({ minLength: 1, maxLength: 300 }).filter((text) => !(text in {}));
const properties = fc.dictionary(name, scalar, { maxKeys: 8 });
const body = fc.oneof(
  scalar,
  properties,
  fc.uint8Array({ maxLength: 70_000 }).map((bytes) => rhea.message.data_section(Buffer.from(bytes))),
);
const message = fc.record(
  {
    message_id: fc.string({ minLength: 1 }),
    subject: fc.string(),
    correlation_id: fc.string(),
    content_type: fc.constant("application/json"),
    ttl: fc.nat(),
    durable: fc.boolean(),
    application_properties: properties,
    message_annotations: properties,
    body,
  },
  { requiredKeys: ["message_id", "body"] },
);

test("what a sender encoded comes back bit for bit, whatever its types", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const bytes = rhea.message.encode(sent);
      const content = parse(bytes);
      expect(bytes.subarray(bytes.length - content.bare.length)).toEqual(content.bare);
      const delivered = parse(encode(content, stamp));
      expect(delivered).toEqual(content);
      expect(content.messageId).toBe(sent.message_id);
    }),
  );
});

test("a delivery carries the broker's stamp and the sender's annotations", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const delivered = rhea.message.decode(encode(parse(rhea.message.encode(sent)), stamp));
      const original = rhea.message.decode(rhea.message.encode(sent));
      expect(delivered.message_annotations).toEqual({
        ...original.message_annotations,
        "x-opt-enqueued-time": new Date(stamp.enqueuedTime),
        "x-opt-sequence-number": 7,
        "x-opt-locked-until": new Date(stamp.lockedUntil),
        "x-opt-message-state": 1,
      });
      expect(delivered.delivery_count).toBe(2);
      expect(delivered.body).toEqual(original.body);
    }),
  );
});

test("a message that was received and is sent again loses the old stamp", () => {
  const once = encode(parse(rhea.message.encode({ message_id: "a", body: 1 })), stamp);
  expect(parse(once).annotations.pairs).toBe(0);
});

test("a batch splits into exactly the messages that were put in", () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (sent) => {
      const encoded = sent.map((single) => rhea.message.encode(single));
      const batch = rhea.message.encode({ body: rhea.message.data_sections(encoded) });
      expect(unbatch(batch)).toEqual(encoded);
    }),
  );
});

test("added application properties win, and the others keep their values", () => {
  fc.assert(
    fc.property(message, properties, (sent, added) => {
      const { bare } = parse(rhea.message.encode(sent));
      const before = applicationPropertiesOf(bare);
      const changed = withApplicationProperties(bare, added);
      // Compared after a round trip: AMQP has no -0 for integers.
      const expected = applicationPropertiesOf(withApplicationProperties(Buffer.alloc(0), added));
      expect(applicationPropertiesOf(changed)).toEqual({ ...before, ...expected });
      expect(bodyOf(changed)).toEqual(bodyOf(bare));
    }),
  );
});

test("a message without an id gets one, and keeps its other properties", () => {
  const content = parse(rhea.message.encode({ subject: "greeting", body: "hello" }));
  expect(content.messageId).toMatch(/^[0-9a-f]{32}$/);
  const decoded = rhea.message.decode(content.bare);
  expect(decoded).toMatchObject({ message_id: content.messageId, subject: "greeting", body: "hello" });
});

test("the scheduled time is read from the annotations", () => {
  const at = new Date(1_800_000_000_000);
  const bytes = rhea.message.encode({ message_annotations: { "x-opt-scheduled-enqueue-time": at }, body: 1 });
  expect(parse(bytes).scheduledAt).toBe(at.getTime());
});

test("bytes that are no message are refused as such, never with an internal error", () => {
  const whole = rhea.message.encode({ message_id: "a", application_properties: { k: "v" }, body: { deep: [1, "x"] } });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
        fc.nat({ max: whole.length - 1 }).map((length) => whole.subarray(0, length)),
      ),
      (bytes) => {
        try {
          for (const section of sectionsOf(bytes)) expect(section.end).toBeLessThanOrEqual(bytes.length);
          parse(bytes);
        } catch (error) {
          expect(error).toMatchObject({ condition: "amqp:decode-error" });
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("bodies are shown as JSON where they are JSON, as text where they are text", () => {
  const data = (bytes: Buffer) => parse(rhea.message.encode({ body: rhea.message.data_section(bytes) })).bare;
  expect(bodyOf(data(Buffer.from('{"run":"run_1"}')))).toEqual({ run: "run_1" });
  expect(bodyOf(data(Buffer.from("plain text")))).toBe("plain text");
  expect(bodyOf(data(Buffer.from([0xff, 0xfe, 0x00])))).toBeUndefined();
});

test("turning a GUID's byte order twice gives the same GUID", () => {
  const guid = Buffer.from("00112233445566778899aabbccddeeff", "hex");
  expect(flipGuid(guid).toString("hex")).toBe("33221100554477668899aabbccddeeff");
  expect(flipGuid(flipGuid(guid))).toEqual(guid);
});

test("a message id may have 128 characters, not 129", () => {
  const encoded = (length: number) => rhea.message.encode({ message_id: "i".repeat(length), body: 1 });
  expect(parse(encoded(128)).messageId).toHaveLength(128);
  expect(() => parse(encoded(129))).toThrow("A message id may have 128 characters at most.");
});
