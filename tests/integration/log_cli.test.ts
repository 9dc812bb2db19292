import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import {
  leafHash,
  parseCheckpoint,
  parseKey,
  parseNote,
  parseTlogProof,
  verifyConsistency,
  verifyInclusion,
  verifySignedCheckpoint,
} from "../../src/verify/index.js";
import { ids, useCluster, useDatabase } from "../harness/index.js";
import { makeWitness } from "../unit/verify/witness.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);
const origin = "example.org/audit";

/** A directory for what the commands write, new for each test. */
let directory: string;
/** Of the log's key. */
let vkey: string;
let keyFile: string;
/** Entries of the log, in the order in which they were recorded. */
const entries: string[] = [];

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `pgtrail` on the test's database as its migrator, or as another role. */
function pgtrail(
  args: string[],
  { url = database.url("migrator"), key = "" } = {},
): Promise<Outcome> {
  const environment = { ...process.env, DATABASE_URL: url, PGTRAIL_SIGNING_KEY: key };
  return new Promise((resolve) => {
    const options = { cwd: projectRoot, env: environment, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, ["dist/cli.js", ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Runs `pgtrail`, which is expected to succeed, and gives what it prints. */
async function done(args: string[], options = {}): Promise<string> {
  const { code, stdout, stderr } = await pgtrail(args, options);
  expect(`${code} ${stderr}`).toBe("0 ");
  return stdout;
}

async function record(count: number): Promise<void> {
  await database.as("service", async (client) => {
    const { rows } = await client.query(
      `select record_audit_event(p_organisation_id => $1, p_action => 'badge.awarded',
         p_entity_type => 'badge', p_entity_id => n::text, p_actor_id => 'mentor ' || n,
         p_changes => jsonb_build_object('step', n), p_ip_address => '192.0.2.7') as id
       from generate_series(1, $2::int) as n`,
      [ids.organisationA, count],
    );
    entries.push(...rows.map(({ id }) => id));
  });
}

function sign(to: string, ...more: string[]) {
  return pgtrail(["checkpoint", "--sign", "--key", keyFile, "--to", to, ...more]);
}

beforeAll(async () => {
  await database.superuser.query(
    "create role reader login in role pgtrail_auditor; create role stranger login",
  );
  const keys = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  keyFile = join(keys, "audit.key");
  vkey = (await done(["checkpoint", "keygen", "--name", origin, "--out", keyFile])).trim();
  return () => rm(keys, { recursive: true });
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  return () => rm(directory, { recursive: true });
});

function reader(): { url: string } {
  const url = new URL(database.url());
  url.username = "reader";
  return { url: url.toString() };
}

describe("before the log has entries", () => {
  test("keygen writes the signing key for its owner only, and never over another", async () => {
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(await readFile(keyFile, "utf8")).toMatch(/^PRIVATE\+KEY\+example\.org\/audit\+/);
    expect((await parseKey(vkey)).name).toBe(origin);
    const again = await pgtrail(["checkpoint", "keygen", "--name", origin, "--out", keyFile]);
    expect(again).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("in use") });
  });

  test("keygen prints both keys otherwise", async () => {
    const keys = JSON.parse(await done(["checkpoint", "keygen", "--name", "a", "--json"]));
    expect(keys).toEqual({
      skey: expect.stringMatching(/^PRIVATE\+KEY\+a\+/),
      vkey: expect.stringMatching(/^a\+/),
    });
  });

  test("a key that is of another log signs nothing", async () => {
    const { code, stderr } = await sign(directory);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the key is of example.org\/audit, the log calls itself pgtrail\//);
    expect(await readdir(directory)).toEqual([]);
  });

  test("the log gets its name, and nothing is proved yet", async () => {
    await database.migrator.query("select pgtrail.start_new_origin('its name', $1)", [origin]);
    const body = await done(["checkpoint"], reader());
    expect(parseCheckpoint(body)).toMatchObject({ origin, size: 0 });
    await record(1);
    const unproved = (id = entries[0] as string, trail = "audit_log") =>
      pgtrail(["prove", "--trail", trail, "--id", id], reader());
    expect(await unproved()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no checkpoint of this log is signed yet\nHint: .*--sign/),
    });
    expect((await sign(directory)).code).toBe(0);
    expect(await unproved()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is not sealed yet\nHint: Seal it/),
    });
    await done(["seal"]);
    expect(await unproved()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no signed checkpoint covers entry .* yet\nHint: /),
    });
    expect(await unproved(ids.outsider)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`audit_log has no entry ${ids.outsider}`),
    });
    expect(await unproved(entries[0], "audit_lgo")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no trail audit_lgo\nHint: There are: audit_log/),
    });
  });
});

describe("seal", () => {
  test("seals all that is committed, and then nothing", async () => {
    await record(700);
    expect(JSON.parse(await done(["seal", "--json"]))).toEqual({ sealed: 700, size: 701 });
    expect(await done(["seal"])).toBe("  0 sealed; the log has 701 entries\n");
  });

  test("is refused to others, in plain words", async () => {
    const { code, stderr } = await pgtrail(["seal"], reader());
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^pgtrail: permission denied .*\nHint: Connect as a member of pgtrail_o/,
    );
    expect(stderr).not.toContain(" at ");
  });
});

describe("checkpoint --sign", () => {
  test("trusts the first one, and says so; the next ones continue it", async () => {
    const first = await sign(directory);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toContain("the first checkpoint, trusted as it is");
    expect(first.stdout).toContain(vkey);
    const key = await parseKey(vkey);
    const path = join(directory, "checkpoint");
    const old = await verifySignedCheckpoint(await readFile(path, "utf8"), { key });
    expect(old.size).toBe(701);

    const unchanged = await sign(directory);
    expect(unchanged.stdout).toContain("nothing is new");

    await record(300);
    await done(["seal"]);
    const second = await sign(directory);
    expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining("it continues") });
    const next = await verifySignedCheckpoint(await readFile(path, "utf8"), { key });
    expect(next.size).toBe(1001);
    expect(await readdir(directory)).toEqual(["checkpoint"]);

    const { rows } = await database.superuser.query(
      "select pgtrail.consistency_proof(701, 1001) as hashes",
    );
    const roots = { fromRoot: old.root, toRoot: next.root };
    await verifyConsistency({ fromSize: 701, toSize: 1001, ...roots, hashes: rows[0].hashes });
    const { rows: published } = await database.superuser.query(
      "select tree_size::int, note from pgtrail.published_checkpoint order by tree_size",
    );
    expect(published.map(({ tree_size }) => tree_size)).toEqual([0, 701, 1001]);
    expect(published[2].note).toBe(await readFile(path, "utf8"));
  });

  test("takes the key from the environment, and prints to standard output", async () => {
    const state = join(directory, "state");
    const args = ["checkpoint", "--sign", "--to", "-", "--state", state];
    const key = await readFile(keyFile, "utf8");
    const { code, stdout, stderr } = await pgtrail(args, { key });
    expect(code).toBe(0);
    expect(stdout).toBe(await readFile(state, "utf8"));
    expect(stderr).toContain("trusted as it is");
    expect(parseNote(stdout).text).toBe(await done(["checkpoint"]));
    const json = JSON.parse((await pgtrail([...args, "--json"], { key })).stdout);
    expect(json).toMatchObject({ origin, size: 1001, first: false, note: stdout });
  });

  /** What a test does to the database, and undoes. */
  async function withStatement(todo: string, undo: string, work: () => Promise<void>) {
    await database.superuser.query(todo);
    try {
      await work();
    } finally {
      await database.superuser.query(undo);
    }
  }

  function alertOf({ code, stdout, stderr }: Outcome) {
    expect(stdout).toBe("");
    expect(code).toBe(3);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    return JSON.parse(stderr);
  }

  test("refuses a rewritten log with an alert, and writes nothing", async () => {
    await sign(directory);
    const path = join(directory, "checkpoint");
    const before = await readFile(path);
    await record(5);
    await done(["seal"]);
    await withStatement(
      `create table saved as table pgtrail.tile;
       update pgtrail.tile set hashes = sha256('x') || substr(hashes, 33) where level = 0 and tile_index = 0;
       update pgtrail.tile set hashes = sha256('y') || substr(hashes, 33) where level = 1 and tile_index = 0;
       update pgtrail.log set root = pgtrail._range_hash(1, 0, tree_size)`,
      `update pgtrail.tile set hashes = saved.hashes from saved
       where (tile.level, tile.tile_index) = (saved.level, saved.tile_index);
       drop table saved;
       update pgtrail.log set root = pgtrail._range_hash(1, 0, tree_size)`,
      async () => {
        const alert = alertOf(await sign(directory));
        expect(alert).toMatchObject({
          alert: "checkpoint refused",
          code: "not_consistent",
          last: [origin, "1001", expect.any(String)],
          checkpoint: [origin, "1006", expect.any(String)],
        });
      },
    );
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(directory)).toEqual(["checkpoint"]);
    const { rowCount } = await database.superuser.query(
      "select from pgtrail.published_checkpoint where tree_size = 1006",
    );
    expect(rowCount).toBe(0);
    expect((await sign(directory)).code).toBe(0);
  });

  test("refuses a log that became shorter", async () => {
    await sign(directory);
    await withStatement(
      "create table saved as select tree_size, root from pgtrail.log; " +
        "update pgtrail.log set tree_size = 900, root = pgtrail._range_hash(1, 0, 900)",
      "update pgtrail.log set tree_size = saved.tree_size, root = saved.root from saved; drop table saved",
      async () => {
        expect(alertOf(await sign(directory))).toMatchObject({ code: "size_went_back" });
      },
    );
  });

  test("refuses another origin until it is told", async () => {
    await sign(directory);
    await withStatement(
      "update pgtrail.log set origin = 'example.org/audit/2'",
      `update pgtrail.log set origin = '${origin}'`,
      async () => {
        expect(alertOf(await sign(directory))).toMatchObject({ code: "origin_changed" });
        const wrongKey = await sign(directory, "--new-origin");
        expect(wrongKey).toMatchObject({
          code: 1,
          stderr: expect.stringContaining("keygen --name example.org/audit/2"),
        });
        const name = ["checkpoint", "keygen", "--name", "example.org/audit/2"];
        await done([...name, "--out", join(directory, "new.key")]);
        const args = [
          "checkpoint",
          "--sign",
          "--key",
          join(directory, "new.key"),
          "--to",
          directory,
        ];
        expect(await done([...args, "--new-origin"])).toContain("trusted as it is");
      },
    );
  });

  test("says what it needs", async () => {
    for (const [args, message] of [
      [["--sign"], "--sign needs --to"],
      [["--sign", "--to", "-"], "needs --state"],
      [["--sign", "--to", "https://example.org/"], "needs --state"],
      [["--sign", "--to", directory], "there is no signing key"],
      [["--timeout", "0"], "number of seconds"],
    ] as const) {
      const { code, stderr } = await pgtrail(["checkpoint", ...args]);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
    const { code, stderr } = await pgtrail(["checkpoint", "keygen"]);
    expect(`${code} ${stderr}`).toContain("2 pgtrail: required option '--name");
    const missing = await pgtrail(["checkpoint", "--sign", "--to", directory, "--key", "nowhere"]);
    expect(missing).toMatchObject({ code: 1, stderr: "pgtrail: there is no file nowhere\n" });
  });
});

describe("checkpoint --sign --to a URL", () => {
  let server: Server;
  let url: string;
  /** What the server answers; 0 means never. */
  let status: number;
  let received: string[];

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      received.push(
        `${request.method} ${request.headers["content-type"]}\n${Buffer.concat(chunks)}`,
      );
      if (status > 0) response.writeHead(status, { location: "/" }).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/checkpoint?secret=hidden`;
  });

  beforeEach(() => {
    received = [];
    status = 200;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("sends it", async () => {
    const state = join(directory, "state");
    expect((await sign(url, "--state", state)).code).toBe(0);
    expect((await sign(url, "--state", state, "--method", "POST")).code).toBe(0);
    const note = await readFile(state, "utf8");
    const head = "text/plain; charset=utf-8";
    expect(received).toEqual([`PUT ${head}\n${note}`, `POST ${head}\n${note}`]);
  });

  test.each([
    [500, "was answered with 500"],
    [302, "failed: "],
    [0, "took longer than 0.5 seconds"],
  ])("does not record it when the answer is %i, and sends it the next time", async (code, told) => {
    await record(1);
    await done(["seal"]);
    const size = Number((await done(["checkpoint"])).split("\n")[1]);
    const recorded = async () =>
      (
        await database.superuser.query(
          "select from pgtrail.published_checkpoint where tree_size = $1",
          [size],
        )
      ).rowCount;
    status = code;
    const state = join(directory, "state");
    const timeout = code === 0 ? "0.5" : "20";
    const failed = await sign(url, "--state", state, "--timeout", timeout);
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `signed, but not published: PUT ${url.split("?")[0]} ${told}`,
      ),
    });
    expect(failed.stderr).not.toContain("hidden");
    expect(await recorded()).toBe(0);
    // It was signed: that is never forgotten.
    expect(parseCheckpoint(parseNote(await readFile(state, "utf8")).text).size).toBe(size);

    status = 204;
    expect((await sign(url, "--state", state)).code).toBe(0);
    expect(await recorded()).toBe(1);
  });

  test("says when nobody is there", async () => {
    const { code, stderr } = await sign("http://127.0.0.1:1/", "--state", join(directory, "state"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/signed, but not published: PUT http:\/\/127.0.0.1:1\/ failed: /);
  });
});

describe("checkpoint cosign", () => {
  test("stores the signatures of witnesses, once", async () => {
    await sign(directory);
    const witness = await makeWitness("witness.example");
    const note = await readFile(join(directory, "checkpoint"), "utf8");
    const cosigned = join(directory, "cosigned");
    await writeFile(cosigned, witness.cosign(note, new Date("2026-11-21T04:00:00Z")));
    const args = ["checkpoint", "cosign", cosigned, "--witness", witness.vkey];
    const merged = await done(args);
    expect(merged).toBe(await readFile(cosigned, "utf8"));
    expect(await done(args)).toBe(merged);

    const out = join(directory, "export");
    await done(["export-tiles", out], reader());
    expect(await readFile(join(out, "checkpoint"), "utf8")).toBe(merged);
    const offline = ["verify", "--export", out, "--key", vkey];
    expect(await done([...offline, "--witness", witness.vkey])).toContain(
      "witnessed by witness.example at 2026-11-21T04:00:00.000Z",
    );
    const stranger = await makeWitness("stranger.example");
    const { code, stderr } = await pgtrail([...offline, "--witness", stranger.vkey]);
    expect(code).toBe(3);
    expect(stderr).toContain("no signature of stranger.example");
  });

  test("refuses a note that the witness has not signed, or that is not of this log", async () => {
    await sign(directory);
    const path = join(directory, "checkpoint");
    const witness = await makeWitness("other.example");
    const cosign = (file: string) =>
      pgtrail(["checkpoint", "cosign", file, "--witness", witness.vkey]);
    expect(await cosign(path)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("other.example has not signed it"),
    });
    const forged = join(directory, "forged");
    const body = `${origin}\n5\n${Buffer.alloc(32).toString("base64")}\n`;
    const [, signature = ""] = (await readFile(path, "utf8")).split("\n\n");
    await writeFile(forged, witness.cosign(`${body}\n${signature}`, new Date()));
    expect(await cosign(forged)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("does not fit the log"),
    });
  });
});

describe("export-tiles and verify --export", () => {
  const out = () => join(directory, "export");
  const verify = (...more: string[]) =>
    pgtrail(["verify", "--export", out(), "--key", vkey, ...more], { url: "" });

  test("write the log as files, add what is new, and verify them offline", async () => {
    await sign(directory);
    const size = Number((await done(["checkpoint"])).split("\n")[1]);
    const first = JSON.parse(await done(["export-tiles", out(), "--json"], reader()));
    expect(first).toEqual({ size, written: 5, signed: true });
    expect(await verify()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("lead to the root that was signed"),
    });
    const again = JSON.parse(await done(["export-tiles", out(), "--json"], reader()));
    expect(again).toEqual({ size, written: 0, signed: true });

    // What is not signed yet is not exported.
    await record(600);
    await done(["seal"]);
    expect(await done(["export-tiles", out()], reader())).toContain("0 tiles written");
    await sign(directory);
    expect(await done(["export-tiles", out()], reader())).toMatch(
      / {2}\d tiles written; 1,6\d\d entries are in /,
    );
    expect(await verify()).toMatchObject({ code: 0 });
    // The partial tile that is full now is gone.
    const tiles = await readdir(join(out(), "tile/0"));
    expect(tiles.filter((name) => name.endsWith(".p"))).toHaveLength(1);

    // A run that was interrupted goes on.
    await unlink(join(out(), "tile/0/001"));
    await writeFile(join(out(), "tile/0/002"), "");
    expect(await done(["export-tiles", out()], reader())).toContain("2 tiles written");
    expect(await verify()).toMatchObject({ code: 0 });
  });

  test("name a tile that is damaged or missing", async () => {
    await sign(directory);
    await done(["export-tiles", out()], reader());
    const path = join(out(), "tile/0/001");
    const bytes = await readFile(path);
    await writeFile(path, bytes.with(77, (bytes[77] as number) ^ 1));
    const damaged = await verify();
    expect(damaged.code).toBe(3);
    expect(damaged.stdout).toMatch(/1 defect\n\n {2}tiles disagree +tile\/0\/001 /);
    await unlink(path);
    const missing = await verify("--json");
    expect(missing.code).toBe(3);
    expect(JSON.parse(missing.stdout)).toMatchObject({
      origin,
      verified: false,
      total: 1,
      defects: [{ defect: "tile missing", path: "tile/0/001" }],
    });
    await unlink(join(out(), "checkpoint"));
    expect(await verify()).toMatchObject({ code: 1, stderr: expect.stringContaining("no file") });
  });

  test("write no checkpoint when none is signed", async () => {
    await database.superuser.query("update pgtrail.log set origin = 'example.org/unsigned'");
    try {
      expect(await done(["export-tiles", out()], reader())).toContain(
        "No checkpoint is signed yet",
      );
      expect(await readdir(out())).toEqual(["tile"]);
    } finally {
      await database.superuser.query("update pgtrail.log set origin = $1", [origin]);
    }
  });

  test("say so when the log has a hole", async () => {
    await database.superuser.query("begin; create table saved as table pgtrail.tile; commit");
    await database.superuser.query("delete from pgtrail.tile where level = 0 and tile_index = 1");
    const { code, stderr } = await pgtrail(["export-tiles", out()], reader());
    await database.superuser.query(
      "insert into pgtrail.tile select * from saved on conflict do nothing; drop table saved",
    );
    expect(`${code} ${stderr}`).toContain("1 pgtrail: the log has no whole tile/0/001\n");
  });
});

describe("prove and verify", () => {
  const file = () => join(directory, "proof.json");
  const verify = (...more: string[]) =>
    pgtrail(["verify", file(), "--key", vkey, ...more], { url: "" });

  beforeEach(async () => {
    await sign(directory);
  });

  test("give an entry to somebody who has nothing but the key", async () => {
    const id = entries[42] as string;
    const told = await done(
      ["prove", "--trail", "audit_log", "--id", id, "--out", file()],
      reader(),
    );
    expect(told).toBe(`  ${file()} proves entry ${id} of audit_log\n`);

    const { code, stdout, stderr } = await verify();
    expect(`${code} ${stderr}`).toBe("0 ");
    expect(stdout).toMatch(
      /✓ proved: this audit_log\/1 is number [\d,]+ of the [\d,]+ entries of ex/,
    );
    expect(stdout).toContain(`signed with the key of ${origin}`);
    expect(stdout).toMatch(new RegExp(`  id +${id}\n`));
    expect(stdout).toMatch(/ {2}actor_id +mentor 42\n/);
    expect(stdout).toMatch(/ {2}changes +\{"step": 42\}\n/);
    expect(stdout).toMatch(/ {2}ip_address +192\.0\.2\.7\/32\n/);
    expect(stdout).toMatch(/ {2}recorded_at +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\n/);

    const { rows } = await database.superuser.query("select * from audit_log where id = $1", [id]);
    const { rendering } = JSON.parse((await verify("--json")).stdout);
    const recordedAt = rendering.find(({ column }: { column: string }) => column === "recorded_at");
    expect(new Date(recordedAt.value)).toEqual(rows[0].recorded_at);
  });

  test("prove every kind of entry with our library alone", async () => {
    const note = await readFile(join(directory, "checkpoint"), "utf8");
    const { size, root } = await verifySignedCheckpoint(note, { key: await parseKey(vkey) });
    for (const id of entries.filter((_, i) => i % 97 === 0)) {
      const { rows } = await database.superuser.query(
        `select pgtrail.tlog_proof('audit_log', $1, $2) as text,
           (pgtrail.inclusion_proof('audit_log', $1)).entry`,
        [id, note],
      );
      const { index, hashes } = parseTlogProof(rows[0].text);
      await verifyInclusion({ index, size, root, hashes, leaf: await leafHash(rows[0].entry) });
    }
  });

  test("refuse an entry, a proof or a rendering that was altered", async () => {
    const id = entries[7] as string;
    const bundle = JSON.parse(await done(["prove", "--trail", "audit_log", "--id", id], reader()));
    const stepOf = (step: number) => ({ column: "changes", value: `{"step": ${step}}` });
    const altered = {
      entry: bundle.entry.replace("mentor 7", "mentor 8"),
      proof: bundle.proof.replace(/index \d+/, "index 0"),
      rendering: bundle.rendering.map((column: { column: string }) =>
        column.column === "changes" ? { ...column, ...stepOf(8) } : column,
      ),
    };
    for (const [part, value] of Object.entries(altered)) {
      await writeFile(file(), JSON.stringify({ ...bundle, [part]: value }));
      const { code, stderr, stdout } = await verify();
      expect(`${code} ${stdout}`, part).toBe("3 ");
      expect(stderr, part).toContain("does not verify: ");
    }
    const { stdout } = await verify("--json");
    expect(JSON.parse(stdout).error).toContain("what the bundle shows for changes is not");
  });

  test("show nothing that could move the cursor", async () => {
    await database.as("service", async (client) => {
      const { rows } = await client.query(
        "select record_audit_event($1, 'note.added', p_actor_id => e'\\u001b[2Jgone') as id",
        [ids.organisationA],
      );
      entries.push(rows[0].id);
    });
    await done(["seal"]);
    await sign(directory);
    await done([
      "prove",
      "--trail",
      "audit_log",
      "--id",
      entries.at(-1) as string,
      "--out",
      file(),
    ]);
    expect((await verify()).stdout).toContain("\\u001b[2Jgone");
  });

  test("say what is wrong with a key or a file", async () => {
    await writeFile(file(), "{}");
    expect(await verify()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("this is no proof bundle"),
    });
    for (const args of [
      ["verify", file()],
      ["verify", file(), "--key", "nonsense"],
      ["verify", file(), "--export", directory, "--key", vkey],
    ]) {
      expect((await pgtrail(args)).code).toBe(2);
    }
    expect((await pgtrail(["verify"], { url: "" })).code).toBe(2);
    expect((await pgtrail(["verify", "nowhere", "--key", vkey])).code).toBe(1);
  });
});

describe("verify --database-url", () => {
  test("finds nothing when all is as it was sealed", async () => {
    await done(["seal"]);
    const { rows } = await database.superuser.query(
      "select tree_size::int as size from pgtrail.log",
    );
    const stdout = await done(["verify"]);
    expect(stdout).toContain(`${rows[0].size.toLocaleString("en-US")} entries are as they were`);
    expect(stdout).toMatch(/\d+ published checkpoints fit the log/);
    expect(JSON.parse(await done(["verify", "--json", "--from-leaf", "700"]))).toMatchObject({
      verified: true,
      from: 700,
      to: rows[0].size,
      defects: [],
    });
  });

  test("names the entry that was altered", async () => {
    const id = entries[500] as string;
    const rename = (action: string) =>
      database.superuser.query(
        `begin; set local session_replication_role = replica;
         alter table public.audit_log disable trigger all;
         update public.audit_log set action = '${action}' where id = '${id}';
         alter table public.audit_log enable trigger all; commit`,
      );
    await rename("forged");
    const { code, stdout } = await pgtrail(["verify", "--json"]);
    const table = await pgtrail(["verify"]);
    await rename("badge.awarded");
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      verified: false,
      total: 1,
      defects: [{ defect: "altered", trail_name: "audit_log", entry_id: id }],
    });
    expect(table.code).toBe(3);
    expect(table.stdout).toMatch(new RegExp(`1 defect\n\n  altered +audit_log +${id} +leaf \\d+`));
    expect((await pgtrail(["verify"])).code).toBe(0);
  });

  test("names a published checkpoint that no longer fits", async () => {
    const forge = (root: string) =>
      database.superuser.query(
        `update pgtrail.published_checkpoint set root = ${root} where tree_size = 701`,
      );
    await forge("sha256('forged')");
    const { code, stdout } = await pgtrail(["verify", "--json"]);
    await forge("pgtrail._range_hash(1, 0, 701)");
    expect(code).toBe(3);
    expect(JSON.parse(stdout).defects).toEqual([
      expect.objectContaining({ defect: "published checkpoint does not fit" }),
    ]);
  });

  test("can be interrupted, and goes on", async () => {
    for (let batch = 0; batch < 12; batch++) {
      await record(3000);
      await database.migrator.query("select pgtrail.seal()");
    }
    const environment = { ...process.env, DATABASE_URL: database.url("migrator") };
    const args = ["dist/cli.js", "verify"];
    const child = spawn(process.execPath, args, { cwd: projectRoot, env: environment });
    child.stdout.once("data", () => child.kill("SIGINT"));
    const output = text(child.stdout);
    const [code] = await once(child, "close");
    expect(code).toBe(1);
    const [, leaf = ""] =
      /Stopped at leaf (\d+); go on with --from-leaf \1/.exec(await output) ?? [];
    const rest = JSON.parse(await done(["verify", "--json", "--from-leaf", leaf]));
    expect(rest).toMatchObject({ verified: true, from: Number(leaf), to: rest.size });
  });
});
