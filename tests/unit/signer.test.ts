import { createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  generateSigningKey,
  parseSigningKey,
  SigningRefused,
  type SigningRequest,
  signContinuation,
} from "../../src/signing/signer.js";
import { parseKey, parseNote, verifySignedCheckpoint } from "../../src/verify/index.js";
import { ReferenceTree, treeOf } from "./verify/reference_tree.js";
import { makeWitness } from "./verify/witness.js";

const origin = "example.org/audit";
const tree = treeOf(300);
const { skey, vkey } = await generateSigningKey(origin);
const key = await parseSigningKey(skey);

function bodyOf(size: number, { of = tree, name = origin } = {}): string {
  return `${name}\n${size}\n${of.root(size).toString("base64")}\n`;
}

/** Asks for a signature on the tree of a size; the database answers honestly unless told otherwise. */
function sign(size: number, last?: string, request: Partial<SigningRequest> = {}) {
  return signContinuation({
    body: bodyOf(size),
    key,
    last,
    newOrigin: false,
    fetchProof: async (from, to) => tree.consistency(from, to),
    ...request,
  });
}

async function refusal(signing: Promise<unknown>): Promise<SigningRefused> {
  const outcome = await signing.catch((error) => error);
  expect(outcome).toBeInstanceOf(SigningRefused);
  return outcome as SigningRefused;
}

describe("keys", () => {
  test("are those of Go's sumdb/note", async () => {
    const neumann = await parseSigningKey(
      "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n",
    );
    expect(neumann).toMatchObject({
      name: "PeterNeumann",
      id: "c74f20a3",
      vkey: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    });
  });

  test("are different each time", async () => {
    expect((await generateSigningKey(origin)).skey).not.toBe(skey);
    const { publicKey } = await parseKey(vkey);
    const { x } = createPublicKey(key.privateKey).export({ format: "jwk" });
    expect(Buffer.from(publicKey).toString("base64url")).toBe(x);
  });

  test.each(["", "a b", "a+b", "a\nb"])("cannot be called %j", async (name) => {
    await expect(generateSigningKey(name)).rejects.toThrow("cannot name a log");
  });

  test.each([
    ["nothing", ""],
    ["a public key", vkey],
    ["another id", skey.replace(/\+[0-9a-f]{8}\+/, "+00000000+")],
    ["another name", skey.replace("audit", "other")],
    ["a short seed", `PRIVATE+KEY+a+00000000+${Buffer.alloc(32, 1).toString("base64")}`],
    ["another kind", `PRIVATE+KEY+a+00000000+${Buffer.alloc(33, 4).toString("base64")}`],
  ])("are not read from %s, and not told", async (_, text) => {
    const error = await parseSigningKey(text).catch((reason) => reason);
    expect(error).toMatchObject({ name: "UserError" });
    const secret = text.split("+").at(-1);
    if (secret) expect(`${error.message} ${error.hint}`).not.toContain(secret);
  });
});

describe("the signer signs", () => {
  test("the first checkpoint as it is, and says so", async () => {
    const { note, isFirst } = await sign(100);
    expect(isFirst).toBe(true);
    const verified = await verifySignedCheckpoint(note, { key: await parseKey(vkey) });
    expect(verified).toMatchObject({ origin, size: 100 });
  });

  test("what continues the last one", async () => {
    let last: string | undefined;
    for (const size of [0, 1, 7, 256, 300]) {
      const { note, isFirst } = await sign(size, last);
      expect(isFirst).toBe(last === undefined);
      expect(parseNote(note).text).toBe(bodyOf(size));
      last = note;
    }
  });

  test("nothing new when the size is the same: cosignatures stay", async () => {
    const witness = await makeWitness("witness.example");
    const last = witness.cosign((await sign(100)).note, new Date());
    const { note } = await sign(100, last, {
      fetchProof: () => Promise.reject(new Error("no proof is needed")),
    });
    expect(note).toBe(last);
  });

  test("another origin only when told to, with a key of that name", async () => {
    const last = (await sign(100)).note;
    const name = "example.org/audit/2";
    const renamed = { body: bodyOf(50, { name }), newOrigin: true };
    await expect(sign(50, last, renamed)).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringContaining(name),
    });
    const other = await parseSigningKey((await generateSigningKey(name)).skey);
    expect(
      await refusal(sign(50, last, { ...renamed, key: other, newOrigin: false })),
    ).toMatchObject({ code: "origin_changed" });
    expect((await sign(50, last, { ...renamed, key: other })).isFirst).toBe(true);
  });
});

describe("the signer refuses", () => {
  const rewritten = new ReferenceTree(
    Array.from({ length: 300 }, (_, i) => Buffer.from(i === 3 ? "rewritten" : `entry ${i}`)),
  );

  test("a log that was rewritten, whatever proof comes with it", async () => {
    const last = (await sign(100)).note;
    for (const hashes of [
      rewritten.consistency(100, 200),
      tree.consistency(100, 200),
      [...tree.consistency(100, 200), Buffer.alloc(32)],
      [],
    ]) {
      const signing = sign(200, last, {
        body: bodyOf(200, { of: rewritten }),
        fetchProof: async () => hashes,
      });
      expect(await refusal(signing)).toMatchObject({ code: "not_consistent" });
    }
  });

  test("another root of the same size", async () => {
    const last = (await sign(100)).note;
    const signing = sign(100, last, { body: bodyOf(100, { of: rewritten }) });
    expect(await refusal(signing)).toMatchObject({ code: "not_consistent" });
  });

  test("a log that became shorter, with --new-origin too", async () => {
    const last = (await sign(100)).note;
    expect(await refusal(sign(99, last))).toMatchObject({ code: "size_went_back" });
    expect(await refusal(sign(99, last, { newOrigin: true }))).toMatchObject({
      code: "size_went_back",
    });
  });

  test("a database that gives no proof", async () => {
    const fetchProof = () => Promise.reject(new Error("statement timeout"));
    const refused = await refusal(sign(200, (await sign(100)).note, { fetchProof }));
    expect(refused).toMatchObject({ code: "no_proof" });
    expect(refused.message).toContain("statement timeout");
  });

  test("to go on from what it did not sign", async () => {
    const stranger = await parseSigningKey((await generateSigningKey(origin)).skey);
    const { note } = await sign(100);
    const foreign = (await sign(100, undefined, { key: stranger })).note;
    const altered = note.replace("\n100\n", "\n50\n");
    for (const last of [foreign, altered, "", "garbage"]) {
      expect(await refusal(sign(200, last))).toMatchObject({ code: "last_not_verified" });
    }
  });

  test("with a key of another log", async () => {
    const stranger = await parseSigningKey((await generateSigningKey("example.org/other")).skey);
    await expect(sign(100, undefined, { key: stranger })).rejects.toMatchObject({
      name: "UserError",
      hint: expect.stringContaining(`--name ${origin}`),
    });
  });

  test("what is no checkpoint", async () => {
    await expect(sign(100, undefined, { body: "nonsense" })).rejects.toMatchObject({
      code: "malformed_checkpoint",
    });
  });
});
