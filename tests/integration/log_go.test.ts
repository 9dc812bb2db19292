/** The proofs of a log in a database, judged by the code behind Go's checksum database. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import {
  generateSigningKey,
  parseSigningKey,
  type SigningKey,
  signContinuation,
} from "../../src/signer.js";
import { ids, useCluster, useDatabase } from "../harness/index.js";

/** Where Debian's golang-golang-x-mod-dev puts its sources. */
const gopath = "/usr/share/gocode";
const environment = { ...process.env, GO111MODULE: "off", GOPATH: gopath };

function findGo(): string | undefined {
  try {
    execFileSync("go", ["version"], { env: environment });
  } catch {
    return "there is no go";
  }
  const sumdb = join(gopath, "src/golang.org/x/mod/sumdb");
  return existsSync(sumdb) ? undefined : "there is no golang.org/x/mod";
}

const missing = findGo();

/** As tests/go/verify.go reads it. */
interface Case {
  proof?: string;
  entry?: string;
  from?: string;
  to?: string;
  consistency?: string[];
  tiles?: string;
  index?: number;
}

describe.runIf(!missing)(`golang.org/x/mod/sumdb${missing ? ` (not run: ${missing})` : ""}`, () => {
  const cluster = useCluster({ fsync: "off" });
  const database = useDatabase(cluster);
  const origin = "example.org/audit";
  const sizes = [1, 2, 255, 256, 257, 700, 1024, 1500];
  /** Signed checkpoints of these sizes. */
  const notes = new Map<number, string>();
  /** Entries of the log in the order of its leaves. */
  let leaves: { id: string; entry: string }[];
  let directory: string;
  let key: SigningKey;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
    const binary = join(directory, "verify");
    const source = join(projectRoot, "tests/go/verify.go");
    await promisify(execFile)("go", ["build", "-o", binary, source], { env: environment });

    key = await parseSigningKey((await generateSigningKey(origin)).skey);
    await database.migrator.query("select pgtrail.start_new_origin('its name', $1)", [origin]);
    let size = 0;
    for (const next of sizes) {
      await database.as("service", (client) =>
        client.query(
          `select record_audit_event($1, 'café.brewed', p_details => jsonb_build_object('n', n))
           from generate_series($2::int, $3::int) as n`,
          [ids.organisationA, size + 1, next],
        ),
      );
      await database.migrator.query("select pgtrail.seal()");
      const { rows } = await database.migrator.query("select pgtrail.checkpoint() as body");
      const { checkpoint, note } = await signContinuation({
        body: rows[0].body,
        key,
        last: notes.get(size),
        newOrigin: false,
        fetchProof: consistency,
      });
      expect(checkpoint.size).toBe(next);
      await database.migrator.query("select pgtrail.record_published_checkpoint($1)", [note]);
      notes.set(next, note);
      size = next;
    }
    const { rows } = await database.migrator.query(
      `select audit_log.id, convert_from(proof.entry, 'UTF8') as entry
       from public.audit_log
       cross join lateral pgtrail.inclusion_proof('public.audit_log', audit_log.id) as proof
       order by proof.leaf_index`,
    );
    leaves = rows;
    await promisify(execFile)(
      process.execPath,
      ["dist/cli.js", "export-tiles", join(directory, "export")],
      { cwd: projectRoot, env: { ...process.env, DATABASE_URL: database.url("migrator") } },
    );
  }, 240_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function consistency(from: number, to: number): Promise<Buffer[]> {
    const { rows } = await database.migrator.query(
      "select pgtrail.consistency_proof($1, $2) as hashes",
      [from, to],
    );
    return rows[0].hashes;
  }

  /** Every entry that is in the tree of a size, with its proof. */
  async function inclusions(size: number): Promise<Case[]> {
    const { rows } = await database.migrator.query<{ proof: string }>(
      `select pgtrail.tlog_proof('public.audit_log', id, $1) as proof
       from unnest($2::uuid[]) with ordinality as leaf (id, index) order by index`,
      [notes.get(size), leaves.slice(0, size).map(({ id }) => id)],
    );
    return rows.map(({ proof }, i) => ({ proof, entry: leaves[i]?.entry ?? "" }));
  }

  async function consistencies(): Promise<Case[]> {
    const pairs = sizes.flatMap((from) => sizes.map((to) => [from, to] as const));
    return Promise.all(
      pairs
        .filter(([from, to]) => from <= to)
        .map(async ([from, to]) => ({
          from: notes.get(from) ?? "",
          to: notes.get(to) ?? "",
          consistency: (await consistency(from, to)).map((hash) => hash.toString("base64")),
        })),
    );
  }

  /** What Go says of each case: an empty text when it accepts it. */
  function judge(cases: Case[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const options = { maxBuffer: 64 * 1024 * 1024 };
      const child = execFile(join(directory, "verify"), options, (error, stdout) => {
        if (error) reject(error);
        else resolve(JSON.parse(stdout));
      });
      child.stdin?.end(JSON.stringify(cases.map((each) => ({ key: key.vkey, ...each }))));
    });
  }

  async function accepted(cases: Case[]): Promise<void> {
    expect(cases.length).toBeGreaterThan(0);
    expect([...new Set(await judge(cases))]).toEqual([""]);
  }

  async function refused(cases: Case[]): Promise<void> {
    expect(cases.length).toBeGreaterThan(0);
    expect(await judge(cases)).not.toContain("");
  }

  /** A text with one character of base64 replaced, at each of its positions in turn. */
  function alter(text: string): string[] {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return Array.from(text, (character, i) => {
      // Its first bit: Go does not mind the last ones of a last character.
      const other = alphabet[alphabet.indexOf(character) ^ 32];
      return alphabet.includes(character) ? text.slice(0, i) + other + text.slice(i + 1) : "";
    }).filter((altered) => altered !== "");
  }

  test.each(sizes)("accepts every entry of the first %i", async (size) => {
    const cases = await inclusions(size);
    expect(cases).toHaveLength(size);
    await accepted(cases);
  });

  test("accepts every checkpoint as the continuation of every earlier one", async () => {
    await accepted(await consistencies());
  });

  /** Every entry, to be proved from the exported tiles. */
  function exported(): { tiles: string; entry: string; index: number }[] {
    return leaves.map(({ entry }, index) => ({ tiles: join(directory, "export"), entry, index }));
  }

  test("proves every entry from the exported tiles", async () => {
    const cases = exported();
    await accepted(cases);
    await refused(cases.map((each) => ({ ...each, index: (each.index + 1) % 1500 })));
  });

  test("refuses an entry or a proof that was altered anywhere", async () => {
    const [{ proof = "", entry = "" } = {}] = await inclusions(1500);
    await refused(
      Array.from(entry, (_, i) => ({
        proof,
        entry: `${entry.slice(0, i)}\u0000${entry.slice(i + 1)}`,
      })),
    );
    const lines = proof.split("\n").slice(1).join("\n");
    await refused(
      alter(lines).map((altered) => ({ proof: `c2sp.org/tlog-proof@v1\n${altered}`, entry })),
    );
  });

  test("refuses a consistency proof that was altered anywhere", async () => {
    const honest = (await consistencies()).filter(({ consistency }) => consistency?.length);
    await refused(
      honest.flatMap((each) =>
        (each.consistency ?? []).flatMap((hash, i, all) => [
          { ...each, consistency: all.with(i, alter(hash)[7] ?? "") },
          { ...each, consistency: all.toSpliced(i, 1) },
          { ...each, from: each.to ?? "", to: each.from ?? "" },
        ]),
      ),
    );
  });

  test("refuses a damaged tile", async () => {
    const path = join(directory, "export/tile/0/001");
    const honest = await readFile(path);
    await writeFile(path, honest.with(5, (honest[5] as number) ^ 1));
    const cases = exported().filter(({ index }) => index > 256 && index < 512);
    await refused(cases).finally(() => writeFile(path, honest));
    await accepted(cases);
  });
});
