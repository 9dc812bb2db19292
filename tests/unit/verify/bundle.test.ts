import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  generateSigningKey,
  parseSigningKey,
  signContinuation,
} from "../../../src/signing/signer.js";
import {
  entryValues,
  formatBundle,
  microsecondsAsTime,
  type ProofBundle,
  parseBundle,
  parseKey,
  type RenderedColumn,
  verifyBundle,
} from "../../../src/verify/index.js";
import { ReferenceTree, sha256 } from "./reference_tree.js";

const salt = Buffer.alloc(32, 0xee);
const details = '{"badge": "first steps", "points": 10}';
const report = "The mentor's report, which is long enough to be cut into two pieces.";
const entry = Buffer.from(
  `["audit_log/1", "0199aabb-ccdd-7eee-8fff-000011112222", null, "caf\\u00e9 [\\"x\\", {]", ` +
    `"${sha256(salt, Buffer.from(details)).toString("hex")}", 9007199254740993, true, ` +
    `[1, {"a": ","}], 1763697600123456, "${sha256(Buffer.from(report)).toString("hex")}"]`,
);
const rendering: RenderedColumn[] = [
  { column: "id", value: "0199aabb-ccdd-7eee-8fff-000011112222" },
  { column: "actor_id", value: null },
  { column: "action", value: 'café ["x", {]' },
  { column: "details", value: details, salt: salt.toString("hex") },
  { column: "amount", value: "9007199254740993" },
  { column: "approved", value: "true" },
  { column: "nested", value: '[1, {"a": ","}]' },
  { column: "recorded_at", value: "2025-11-21T04:00:00.123456Z" },
  { column: "report", value: report, salt: "" },
];

const tree = new ReferenceTree([Buffer.from("a"), Buffer.from("b"), entry, Buffer.from("c")]);
const { skey, vkey } = await generateSigningKey("example.org/audit");
const key = await parseKey(vkey);
const { note } = await signContinuation({
  body: `example.org/audit\n4\n${tree.root(4).toString("base64")}\n`,
  key: await parseSigningKey(skey),
  last: undefined,
  newOrigin: false,
  fetchProof: async () => [],
});
const path = tree.inclusion(2, 4).map((hash) => `${hash.toString("base64")}\n`);
const proof = `c2sp.org/tlog-proof@v1\nindex 2\n${path.join("")}\n${note}`;
const bundle: ProofBundle = { proof, entry, rendering };

function verify(changes: Partial<ProofBundle> = {}) {
  return verifyBundle({ ...bundle, ...changes }, { key });
}

/** The bundle's rendering with another column in place of one. */
function rendered(column: RenderedColumn): { rendering: RenderedColumn[] } {
  const position = rendering.findIndex((each) => each.column === column.column);
  return { rendering: rendering.with(position, column) };
}

test("a bundle proves its entry", async () => {
  const proved = await verifyBundle(parseBundle(formatBundle(bundle)), { key });
  expect(proved).toMatchObject({ kind: "audit_log/1", index: 2, rendering });
  expect(proved.checkpoint).toMatchObject({ origin: "example.org/audit", size: 4 });
});

test("an entry that is not UTF-8 travels as base64, and proves nothing readable", async () => {
  const bytes = Buffer.from([0x5b, 0xff, 0x5d]);
  const file = formatBundle({ ...bundle, entry: bytes });
  expect(JSON.parse(file)).toMatchObject({ entry_base64: bytes.toString("base64") });
  expect(Buffer.from(parseBundle(file).entry)).toEqual(bytes);
  expect(() => entryValues(bytes)).toThrow("no JSON array");
});

describe("an entry is refused", () => {
  test("when any byte of it is another", async () => {
    for (let i = 0; i < entry.length; i++) {
      const altered = Buffer.from(entry);
      altered[i] = (entry[i] as number) ^ 1;
      await expect(verify({ entry: altered })).rejects.toMatchObject({ code: "wrong_root" });
    }
  });

  test("when its proof is of another leaf", async () => {
    await expect(verify({ proof: proof.replace("index 2", "index 1") })).rejects.toMatchObject({
      code: "wrong_root",
    });
  });

  test("when its checkpoint is not signed by the key", async () => {
    const stranger = await parseKey((await generateSigningKey("example.org/audit")).vkey);
    await expect(verifyBundle(bundle, { key: stranger })).rejects.toMatchObject({
      code: "not_signed",
    });
  });
});

describe("a rendering is refused", () => {
  const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

  test.each<[string, RenderedColumn]>([
    ["another text", { column: "action", value: "tea" }],
    ["null for a text", { column: "action", value: null }],
    ["a text for null", { column: "actor_id", value: "somebody" }],
    ["another digit of a large number", { column: "amount", value: "9007199254740992" }],
    ["another microsecond", { column: "recorded_at", value: "2025-11-21T04:00:00.123457Z" }],
    ["another commitment", { column: "details", commitment: "00" }],
    ["another committed value", { column: "details", value: "{}", salt: hexOf(salt) }],
    ["another salt", { column: "details", value: details, salt: hexOf(randomBytes(32)) }],
    ["null for a committed value", { column: "details", value: null, salt: hexOf(salt) }],
    [
      "the end of a committed value, its beginning hidden in the salt",
      {
        column: "details",
        value: details.slice(5),
        salt: hexOf(Buffer.concat([salt, Buffer.from(details.slice(0, 5))])),
      },
    ],
    [
      "the end of a digested value, its beginning passed off as a salt",
      { column: "report", value: report.slice(32), salt: hexOf(Buffer.from(report.slice(0, 32))) },
    ],
  ])("that shows %s", async (_, column) => {
    await expect(verify(rendered(column))).rejects.toMatchObject({
      code: "wrong_rendering",
      message: expect.stringContaining(column.column),
    });
  });

  test("that has more or fewer columns than the entry", async () => {
    const more = [...rendering, { column: "more", value: null }];
    for (const other of [rendering.slice(1), more, []]) {
      await expect(verify({ rendering: other })).rejects.toMatchObject({ code: "wrong_rendering" });
    }
  });
});

test("a committed value may be withheld", async () => {
  const commitment = sha256(salt, Buffer.from(details)).toString("hex");
  await verify(rendered({ column: "details", commitment }));
});

describe("parseBundle", () => {
  const file = JSON.parse(formatBundle(bundle));
  test.each<[string, unknown]>([
    ["a text", "text"],
    ["null", null],
    ["a list", [file]],
    ["another format", { ...file, format: "pgtrail-proof/2" }],
    ["no proof", { ...file, proof: undefined }],
    ["no entry", { ...file, entry: undefined }],
    ["an entry that is no text", { ...file, entry: ["audit_log/1"] }],
    ["an entry that is no base64", { ...file, entry: undefined, entry_base64: "?" }],
    ["no rendering", { ...file, rendering: undefined }],
    ["a column without a name", { ...file, rendering: [{ value: "a" }] }],
    ["a column without a value", { ...file, rendering: [{ column: "a" }] }],
    ["a value that is no text", { ...file, rendering: [{ column: "a", value: 1 }] }],
    [
      "a salt that is not hexadecimal",
      { ...file, rendering: [{ column: "a", value: "", salt: "x" }] },
    ],
  ])("refuses %s", (_, content) => {
    expect(() => parseBundle(JSON.stringify(content))).toThrow(
      expect.objectContaining({ code: "malformed_bundle" }),
    );
  });

  test("refuses what is not JSON", () => {
    expect(() => parseBundle("{")).toThrow("this is no proof bundle");
  });
});

test("microsecondsAsTime tells times to the microsecond, before 1970 too", () => {
  expect(microsecondsAsTime("0")).toBe("1970-01-01T00:00:00.000000Z");
  expect(microsecondsAsTime("-1")).toBe("1969-12-31T23:59:59.999999Z");
  expect(microsecondsAsTime("1.5")).toBeUndefined();
  expect(microsecondsAsTime("99999999999999999999")).toBeUndefined();
});
