import { sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeAlgorithms } from "../../../src/node_algorithms.js";
import { generateSigningKey, parseSigningKey, signContinuation } from "../../../src/signer.js";
import {
  formatNote,
  parseKey,
  parseNote,
  verifyNote,
  verifySignedCheckpoint,
  webCrypto,
} from "../../../src/verify/index.js";
import { flippedBits, sha256, treeOf } from "./reference_tree.js";
import { makeWitness } from "./witness.js";

/** The example of Go's golang.org/x/mod/sumdb/note. */
const go = {
  vkey: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  skey: "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
  text:
    "If you think cryptography is the answer to your problem,\n" +
    "then you don't know what your problem is.\n",
  note:
    "If you think cryptography is the answer to your problem,\n" +
    "then you don't know what your problem is.\n" +
    "\n" +
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
};

const origin = "example.org/audit";
const signer = await generateSigningKey(origin);
const key = await parseKey(signer.vkey);
const body = `${origin}\n300\n${treeOf(300).root(300).toString("base64")}\n`;
const { note } = await signContinuation({
  body,
  key: await parseSigningKey(signer.skey),
  last: undefined,
  newOrigin: false,
  fetchProof: async () => [],
});
const witness = await makeWitness("witness.example");
const seen = new Date("2026-11-21T04:00:00Z");
const cosigned = witness.cosign(note, seen);

describe.each([
  ["Web Crypto", webCrypto],
  ["node:crypto", nodeAlgorithms],
])("verifyNote by %s", (_, algorithms) => {
  test("accepts the note of Go's sumdb/note", async () => {
    const neumann = await parseKey(go.vkey, algorithms);
    const verified = await verifyNote(go.note, [neumann], algorithms);
    expect(verified).toEqual({ text: go.text, signatures: [{ key: neumann }] });
  });

  test("accepts a cosignature, and tells its time", async () => {
    const { signatures } = await verifyNote(cosigned, [key, witness.key], algorithms);
    expect(signatures).toEqual([{ key }, { key: witness.key, time: seen }]);
  });

  test("ignores the signatures of others", async () => {
    expect((await verifyNote(cosigned, [], algorithms)).signatures).toEqual([]);
    const namesake = await parseKey((await generateSigningKey(origin)).vkey);
    expect((await verifyNote(note, [namesake], algorithms)).signatures).toEqual([]);
  });

  test("refuses any other text, signature or time", async () => {
    const { text, signatures } = parseNote(cosigned);
    for (const other of [text.replace("300", "301"), `${text}more\n`]) {
      const verification = verifyNote(formatNote({ text: other, signatures }), [key], algorithms);
      await expect(verification).rejects.toMatchObject({ code: "bad_signature" });
    }
    for (const [i, part] of signatures.entries()) {
      for (const signature of flippedBits(part.signature)) {
        const altered = formatNote({
          text,
          signatures: signatures.with(i, { ...part, signature }),
        });
        await expect(verifyNote(altered, [key, witness.key], algorithms)).rejects.toMatchObject({
          code: "bad_signature",
        });
      }
    }
  });
});

test("a bad signature of a known key is not outweighed by a good one", async () => {
  const { text, signatures } = parseNote(note);
  const bad = { ...(signatures[0] as (typeof signatures)[number]), signature: new Uint8Array(64) };
  for (const both of [
    [...signatures, bad],
    [bad, ...signatures],
  ]) {
    const verification = verifyNote(formatNote({ text, signatures: both }), [key]);
    await expect(verification).rejects.toMatchObject({ code: "bad_signature" });
  }
});

describe("parseNote", () => {
  test("reads what formatNote writes", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: "grapheme" }).map((line) => line.replace(/\p{Cc}/gu, "")),
          {
            minLength: 1,
          },
        ),
        fc.array(
          fc.record({
            name: fc.stringMatching(/^[a-zé./-]{1,20}$/u),
            keyId: fc.stringMatching(/^[0-9a-f]{8}$/),
            signature: fc.uint8Array({ minLength: 1, maxLength: 100 }),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        (lines, signatures) => {
          const parts = { text: `${lines.join("\n")}\n`, signatures };
          const parsed = parseNote(formatNote(parts));
          expect(parsed.text).toBe(parts.text);
          expect(parsed.signatures).toEqual(parts.signatures);
        },
      ),
    );
  });

  const line = cosigned.slice(cosigned.indexOf("—")).split("\n")[0] as string;
  test.each([
    ["nothing", ""],
    ["no empty line", `text\n${line}\n`],
    ["no signature", "text\n\n"],
    ["an unfinished last line", `text\n\n${line}`],
    ["a hyphen for a dash", `text\n\n-${line.slice(1)}\n`],
    ["a name with a plus", `text\n\n${line.replace(origin, "a+b")}\n`],
    ["no name", `text\n\n— ${line.split(" ")[2]}\n`],
    ["two spaces", `text\n\n${line.replace(" ", "  ")}\n`],
    ["something after the signature", `text\n\n${line} \n`],
    ["a tab", `te\txt\n\n${line}\n`],
    ["a carriage return", `text\r\n\n${line}\n`],
    ["half of a character", `te\ud83dxt\n\n${line}\n`],
    ["base64 without padding", `text\n\n— name AAAAAAA\n`],
    ["base64 with bits that stand for nothing", `text\n\n— name AAAAAAB=\n`],
    ["base64 for URLs", `text\n\n— name AAAAA_-=\n`],
    ["a key id without a signature", `text\n\n— name AAAAAA==\n`],
    ["a line among the signatures", `text\n\n${line}\nmore\n${line}\n`],
  ])("refuses %s", (_, text) => {
    expect(() => parseNote(text)).toThrow(expect.objectContaining({ code: "malformed_note" }));
  });

  test("leaves empty lines to the text, as Go does", () => {
    expect(parseNote(`a\n\nb\n\n${line}\n`).text).toBe("a\n\nb\n");
  });
});

describe("parseKey", () => {
  test.each([
    ["nothing", ""],
    ["no name", go.vkey.replace("PeterNeumann", "")],
    ["another name", go.vkey.replace("PeterNeumann", "Peter")],
    ["another id", go.vkey.replace("c74f20a3", "c74f20a4")],
    ["an id in capitals", go.vkey.replace("c74f20a3", "C74F20A3")],
    ["a white space", go.vkey.replace("PeterNeumann", "Peter Neumann")],
    ["a signing key", go.skey],
    ["a short key", `a+00000000+${Buffer.alloc(32, 1).toString("base64")}`],
    ["an unknown kind of key", `a+00000000+${Buffer.alloc(33, 2).toString("base64")}`],
    ["a line after it", `${go.vkey}\n`],
  ])("refuses %s", async (_, vkey) => {
    await expect(parseKey(vkey)).rejects.toMatchObject({ code: "malformed_key" });
  });

  test("knows kinds apart: an id is of a name, a kind and a key", async () => {
    const bytes = Buffer.from(go.vkey.slice(-44), "base64").subarray(1);
    const id = sha256(Buffer.from("PeterNeumann\n"), Buffer.of(4), bytes).subarray(0, 4);
    const encoded = Buffer.concat([Buffer.of(4), bytes]).toString("base64");
    const cosigner = await parseKey(`PeterNeumann+${id.toString("hex")}+${encoded}`);
    expect(cosigner.type).toBe(4);
    await expect(parseKey(`PeterNeumann+c74f20a3+${encoded}`)).rejects.toThrow("not those");
  });
});

describe("verifySignedCheckpoint", () => {
  test("tells what was signed, and who saw it when", async () => {
    const checkpoint = await verifySignedCheckpoint(cosigned, { key, witnesses: [witness.key] });
    expect(checkpoint).toMatchObject({ origin, size: 300, extensions: [] });
    expect(Buffer.from(checkpoint.root)).toEqual(treeOf(300).root(300));
    expect(checkpoint.cosignatures).toEqual([{ witness: witness.key, time: seen }]);
  });

  test("refuses one that the key or a witness has not signed", async () => {
    const stranger = await parseKey((await generateSigningKey(origin)).vkey);
    await expect(verifySignedCheckpoint(note, { key: stranger })).rejects.toMatchObject({
      code: "not_signed",
    });
    const signers = { key, witnesses: [witness.key] };
    await expect(verifySignedCheckpoint(note, signers)).rejects.toMatchObject({
      code: "not_signed",
      message: expect.stringContaining("witness.example"),
    });
    const onlyWitness = formatNote({
      text: body,
      signatures: parseNote(cosigned).signatures.slice(1),
    });
    await expect(verifySignedCheckpoint(onlyWitness, signers)).rejects.toMatchObject({
      code: "not_signed",
      message: expect.stringContaining(origin),
    });
  });

  test("refuses one of another log, although signed by the key", async () => {
    const { privateKey } = await parseSigningKey(signer.skey);
    const text = body.replace(origin, "example.org/other");
    const signature = sign(null, Buffer.from(text), privateKey);
    const other = formatNote({ text, signatures: [{ name: key.name, keyId: key.id, signature }] });
    await expect(verifySignedCheckpoint(other, { key })).rejects.toMatchObject({
      code: "wrong_origin",
    });
  });

  test("refuses a note that is no checkpoint", async () => {
    const neumann = await parseKey(go.vkey);
    await expect(verifySignedCheckpoint(go.note, { key: neumann })).rejects.toMatchObject({
      code: "malformed_checkpoint",
    });
  });
});
