import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import type pg from "pg";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { sqlstate, useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);

/** The export, one for all tests, and the keys of its log. */
let directory: string;
let keys: string;
let vkey: string;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function pgtrail(args: string[], url = database.url("migrator")): Promise<Outcome> {
  const options = { cwd: projectRoot, env: { ...process.env, DATABASE_URL: url } };
  return new Promise((resolve) => {
    execFile(process.execPath, ["dist/cli.js", ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

async function done(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await pgtrail(args);
  expect(`${code} ${stderr}`).toBe("0 ");
  return stdout;
}

async function archive(...more: string[]) {
  return JSON.parse(await done(["archive", "--to", directory, "--json", ...more]));
}

/** What the verification of the export finds, without any database. */
async function defects(): Promise<{ defect: string; path: string; detail: string }[]> {
  const args = ["verify", "--export", directory, "--key", vkey, "--json"];
  const { code, stdout } = await pgtrail(args, "");
  const result = JSON.parse(stdout);
  expect(code).toBe(result.total === 0 ? 0 : 3);
  return result.defects;
}

/** Noon of a day of the month that lies so many months back. */
function monthsAgo(months: number, day = 15): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, day, 12));
}

const monthOf = (at: Date) => at.toISOString().slice(0, 7);

type Trail = "acknowledgement" | "sync" | "odd_trail";

const tables: Record<Trail, string> = {
  acknowledgement: "coordinator_acknowledgement_audit",
  sync: "hlf_sync_audit_log",
  odd_trail: "odd_trail",
};

const inserts: Record<Trail, string> = {
  acknowledgement: `insert into public.coordinator_acknowledgement_audit
    (id, organisation_id, coordinator_id, mentor_id, certificate_type, threshold_tier, note, recorded_at)
    values (pgtrail.uuid7($1), $2, $2, $2, 'first aid', 'lapsed', 'a "note"' || chr(8232), $1) returning id`,
  sync: `insert into public.hlf_sync_audit_log
    (id, organisation_id, mentor_id, sync_direction, outcome, source, recorded_at)
    values (pgtrail.uuid7($1), $2, $2, 'remove', 'success', 'nightly_batch', $1) returning id`,
  odd_trail: `insert into public.odd_trail
    (id, organisation_id, recorded_at, at_local, bytes, numbers, "a""b", document, plain, amount, flag, address, large)
    values (pgtrail.uuid7($1), $2, $1, '2024-02-29 23:59:59.123456', '\\x00ff', '{1,2}', 'quoted', '{"b": 1,  "a": [2, null]}',
        '{"a": 12345678901234567890, "b": "\\u0041"}', 12345678901234567890.10, true, '192.0.2.7', 'large')
    returning id`,
};

/** Records events in several batches among those of other trails, and lets them be old. */
async function record(trail: Trail, at: Date, entries: number, organisation = randomUUID()) {
  const found: string[] = [];
  await database.superuser.query("select pgtrail.ensure_partitions($1::regclass, $2, $2)", [
    `public.${tables[trail]}`,
    at,
  ]);
  for (let n = 0; n < entries; n++) {
    const { rows } = await database.superuser.query<{ id: string }>(inserts[trail], [
      new Date(at.getTime() + n),
      organisation,
    ]);
    found.push(...rows.map(({ id }) => id));
    await database.superuser.query(inserts.sync, [monthsAgo(0, 1), organisation]);
    if (n % 4 === 2) await seal(database.superuser);
  }
  await seal(database.superuser);
  await database.superuser.query("update pgtrail.batch set sealed_at = '2020-01-01Z'");
  return found;
}

async function sign() {
  await done(["checkpoint", "--sign", "--key", join(keys, "key"), "--to", join(keys, "signed")]);
}

async function applyRetention() {
  const { rows } = await database.superuser.query(
    "select trail_name, entries::int, method, reason from pgtrail.apply_retention()",
  );
  return rows;
}

async function archivable() {
  const { rows } = await database.superuser.query(
    "select trail_name, to_char(month, 'YYYY-MM') as month, entries::int from pgtrail.archivable_months()",
  );
  return rows;
}

async function archives(trail: Trail, at: Date) {
  const { rows } = await database.superuser.query(
    `select entries::int, tree_size::int, encode(sha256, 'hex') as sha256, location from pgtrail.archive
     where trail_name = $1 and month = to_date($2, 'YYYY-MM')`,
    [tables[trail], monthOf(at)],
  );
  return rows;
}

const pathOf = (trail: Trail, at: Date) => `entries/${tables[trail]}/${monthOf(at)}.ndjson.gz`;

async function linesOf(path: string): Promise<string[]> {
  return gunzipSync(await readFile(join(directory, path)))
    .toString()
    .split("\n")
    .slice(0, -1);
}

async function write(path: string, lines: string[]): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), gzipSync(`${lines.join("\n")}\n`));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  keys = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  // The database of this file is a copy of the migrated template.
  await database.superuser.query("select pgtrail.enable_retention()");
  await database.superuser.query(
    "update pgtrail.retention_setting set archive_before_drop = true, max_partitions = 1000",
  );
  await database.superuser.query(
    `create table public.odd_trail (
         id uuid primary key default pgtrail.uuid7(),
         happened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
         organisation_id uuid,
         recorded_at timestamptz not null default clock_timestamp(),
         era smallint not null default 0,
         tx_id xid8 not null default pg_current_xact_id(),
         erasure_salt uuid default gen_random_uuid(),
         at_local timestamp, bytes bytea, numbers int[], "a""b" text, document json, plain jsonb, amount numeric,
         flag boolean, address inet, large text
     ) partition by range (id);
     select pgtrail.create_trail('public.odd_trail', 'organisation_id', '{address,at_local}', '{large,document}')`,
  );
  return async () => {
    await rm(directory, { recursive: true });
    await rm(keys, { recursive: true });
  };
});

beforeEach(async () => {
  await database.superuser.query(
    `delete from pgtrail.retention_policy;
     select pgtrail.set_retention(relation, '31 days') from pgtrail.trail where trail_name <> 'audit_log'`,
  );
});

test("nothing is archived that nobody could verify", async () => {
  await record("sync", monthsAgo(3), 1);
  const { code, stderr } = await pgtrail(["archive", "--to", directory]);
  expect(`${code} ${stderr}`).toMatch(
    /^1 pgtrail: no checkpoint of this log is signed yet.*\nHint: /,
  );
  vkey = await done([
    "checkpoint",
    "keygen",
    "--name",
    "example.org/a",
    "--out",
    join(keys, "key"),
  ]);
  vkey = vkey.trim();
  await database.migrator.query("select pgtrail.start_new_origin('its name', 'example.org/a')");
  await sign();
  expect((await archive()).archived).toHaveLength(1);
  expect(await applyRetention()).toContainEqual(expect.objectContaining({ method: "drop" }));
});

test("a month is postponed until it is archived, and verifies offline when it is gone", async () => {
  const at = monthsAgo(4);
  const other = monthsAgo(5);
  await record("acknowledgement", at, 11);
  await record("acknowledgement", other, 2);
  const postponed = [other, at].map((each) => ({
    trail_name: tables.acknowledgement,
    entries: 0,
    method: "postponed",
    reason: `${monthOf(each)} is not archived yet`,
  }));
  expect(await applyRetention()).toEqual(postponed);
  const { rows: runs } = await database.superuser.query(
    "select failures from pgtrail.purge_run order by started_at desc limit 1",
  );
  expect(runs).toEqual([{ failures: 2 }]);
  expect(await archivable()).toEqual([
    { trail_name: tables.acknowledgement, month: monthOf(other), entries: 2 },
    { trail_name: tables.acknowledgement, month: monthOf(at), entries: 11 },
  ]);

  await sign();
  const { archived, size } = await archive("--month", monthOf(at));
  const file = await readFile(join(directory, pathOf("acknowledgement", at)));
  const sha256 = createHash("sha256").update(file).digest("hex");
  const path = pathOf("acknowledgement", at);
  expect(archived).toEqual([
    { trail: tables.acknowledgement, month: monthOf(at), entries: 11, path, sha256 },
  ]);
  expect(await archives("acknowledgement", at)).toEqual([
    { entries: 11, tree_size: size, sha256, location: join(directory, path) },
  ]);
  const { rows: events } = await database.superuser.query(
    "select details from public.audit_log where action = 'archive.recorded' order by id desc limit 1",
  );
  expect(events[0].details).toMatchObject({ trail: tables.acknowledgement, entries: 11, sha256 });

  expect(await applyRetention()).toEqual([
    postponed[0],
    expect.objectContaining({ entries: 11, method: "drop" }),
  ]);
  expect(await archive()).toMatchObject({ archived: [{ month: monthOf(other), entries: 2 }] });
  expect(await archivable()).toEqual([]);
  expect(await applyRetention()).toMatchObject([{ entries: 2, method: "drop" }]);
  expect(await verify(database.superuser)).toEqual([]);
  expect(await defects()).toEqual([]);

  const args = ["verify", "--export", directory, "--key", vkey];
  expect((await pgtrail(args, "")).stdout).toMatch(
    /✓ the 14 entries of 3 archives are leaves of it/,
  );
});

test("a file shows what was recorded, also of what the log has hashed", async () => {
  const at = monthsAgo(4);
  await record("odd_trail", at, 1);
  await database.superuser.query(
    `alter table public.odd_trail add column later text default 'default';
     select pgtrail.create_trail('public.odd_trail', 'organisation_id', '{address,at_local}', '{large,document}')`,
  );
  const [, last] = await record("odd_trail", at, 2);
  await database.superuser.query(
    "select pgtrail.erase('public.odd_trail', $1, '{address}', 'a request')",
    [last],
  );
  const notes = await record("acknowledgement", at, 1);
  await sign();
  await archive();
  expect(await defects()).toEqual([]);

  const [header, ...lines] = await linesOf(pathOf("odd_trail", at));
  expect(JSON.parse(header ?? "")).toMatchObject({
    format: "pgtrail-archive/1",
    trail: "odd_trail",
    month: monthOf(at),
    entries: 3,
    tree_size: expect.any(Number),
    origin: "example.org/a",
    time: "happened_at",
    columns: { "odd_trail/1": expect.any(Array), "odd_trail/2": expect.any(Array) },
  });
  const rows = lines.map((line) => JSON.parse(line).row);
  expect(rows[0]).toMatchObject({
    happened_at: at.toISOString().replace("Z", "000Z"),
    recorded_at: at.toISOString().replace("Z", "000Z"),
    bytes: "00ff",
    numbers: [1, 2],
    'a"b': "quoted",
    flag: true,
    at_local: { value: "2024-02-29 23:59:59.123456", salt: expect.stringMatching(/^.{64}$/) },
    address: { value: "192.0.2.7/32", salt: expect.stringMatching(/^.{64}$/) },
    document: { value: '{"b": 1,  "a": [2, null]}', salt: "" },
  });
  expect(rows[0]).not.toHaveProperty("later");
  expect(rows[0]).not.toHaveProperty("erasure_salt");
  expect(lines[0]).toContain('{"a": 12345678901234567890, "b": "A"}');
  expect(lines[0]).toContain("12345678901234567890.10");
  expect(rows[1]).toMatchObject({ later: "default", address: { value: "192.0.2.7/32" } });
  expect(rows[2]).toMatchObject({
    id: last,
    address: { commitment: expect.stringMatching(/^.{64}$/) },
    at_local: { value: "2024-02-29 23:59:59.123456" },
  });
  const [, line = ""] = await linesOf(
    pathOf("acknowledgement", at).replace(/ndjson/, (end) => end),
  );
  expect(JSON.parse(line).row).toMatchObject({
    id: notes[0],
    note: { value: 'a "note"\u2028', salt: expect.any(String) },
  });
  await applyRetention();
});

describe("an archive that was tampered with is named:", () => {
  const at = monthsAgo(6);
  const path = pathOf("acknowledgement", at);
  let lines: string[];

  beforeAll(async () => {
    await database.superuser.query(
      "select pgtrail.set_retention(relation, '31 days') from pgtrail.trail where trail_name <> 'audit_log'",
    );
    await record("acknowledgement", at, 9);
    await record("sync", at, 1);
    await sign();
    await archive();
    lines = await linesOf(path);
  });

  /** Changes the file, has it verified, and puts it back. */
  async function withLines(changed: string[]) {
    await write(path, changed);
    try {
      return await defects();
    } finally {
      await write(path, lines);
    }
  }

  const changedAt = (i: number, change: (line: string) => string) => {
    const changed = change(lines[i] as string);
    expect(changed).not.toBe(lines[i]);
    return lines.with(i, changed);
  };

  test("as it is, there is nothing to name", async () => {
    expect(await withLines(lines)).toEqual([]);
  });

  test.each<[string, (line: string) => string, string]>([
    ["its entry", (line) => line.replace("first aid", "last aid"), "entry not in the log"],
    [
      "its leaf",
      (line) => line.replace(/"leaf":(\d+)/, (_, n) => `"leaf":${Number(n) + 1}`),
      "entry not in the log",
    ],
    ["a leaf beyond the log", (line) => line.replace(/"leaf":\d+/, '"leaf":99999999'), "entry not"],
    ["a value in the open", (line) => line.replace(/: "first aid"/, ': "last aid"'), "row altered"],
    ["a hashed value", (line) => line.replace('"a \\"note\\"', '"another'), "row altered"],
    ["a salt", (line) => line.replace(/"salt": "../, '"salt": "xx'), "row altered"],
    ["a time", (line) => line.replace(/("recorded_at": "....-..-..T)12/, "$111"), "row altered"],
    [
      "the time of the event",
      (line) => line.replace(/("acknowledged_at": "....-..-..T)12/, "$111"),
      "row altered",
    ],
    ["a column more", (line) => line.replace('"row":{', '"row":{"more": 1, '), "row altered"],
    ["a column less", (line) => line.replace(/"mentor_id": "[^"]*", /, ""), "row altered"],
    ["its JSON", (line) => line.slice(0, -1), "line not readable"],
  ])("a line that was changed, in %s", async (_, change, defect) => {
    expect((await withLines(changedAt(4, change)))[0]).toMatchObject({
      defect: expect.stringContaining(defect),
      path: `${path}:5`,
    });
  });

  test("a line that was removed", async () => {
    expect(await withLines(lines.toSpliced(3, 1))).toEqual([
      { defect: "entry missing", path, detail: "number 3 is not there, of 9" },
    ]);
    expect(await withLines(lines.slice(0, 8))).toEqual([
      { defect: "entry missing", path, detail: "numbers 8 to 9 are not there, of 9" },
    ]);
  });

  test("a line that was added", async () => {
    const twice = await withLines(lines.toSpliced(3, 0, lines[3] as string));
    expect(twice.map((each) => `${each.defect} ${each.path}`)).toEqual([
      `entry twice ${path}:5`,
      `entry out of place ${path}:5`,
    ]);
    const [, foreign = ""] = await linesOf(pathOf("sync", at));
    const more = [...lines, foreign.replace('"number":1,', '"number":10,')];
    expect(await withLines(more)).toMatchObject([
      { defect: "entry added", path: `${path}:11` },
      { defect: "row altered", detail: expect.stringContaining("not one of coordinator_ack") },
    ]);
  });

  test("lines that were swapped", async () => {
    const swapped = lines.with(2, lines[5] as string).with(5, lines[2] as string);
    expect((await withLines(swapped)).map((each) => `${each.defect} ${each.path}`)).toEqual([
      `entry out of place ${path}:4`,
      `entry out of place ${path}:6`,
    ]);
  });

  test("entries that were swapped between lines", async () => {
    const [third, sixth] = [lines[2], lines[5]].map(
      (line = "") => /"entry.*/.exec(line)?.[0] ?? "",
    );
    const swapped = lines
      .with(
        2,
        (lines[2] as string).replace(/"entry.*/, () => sixth as string),
      )
      .with(
        5,
        (lines[5] as string).replace(/"entry.*/, () => third as string),
      );
    expect((await withLines(swapped)).map((each) => `${each.defect} ${each.path}`)).toEqual([
      `entry not in the log ${path}:3`,
      `entry not in the log ${path}:6`,
    ]);
  });

  test.each<[string, (line: string) => string]>([
    ["entries", (line) => line.replace('"entries":9', '"entries":10')],
    ["month", (line) => line.replace(monthOf(at), monthOf(monthsAgo(7)))],
    ["trail", (line) => line.replace(/"trail":"[^"]*"/, '"trail":"audit_log"')],
    ["tree", (line) => line.replace(/"tree_size":\d+/, '"tree_size":99999999')],
    ["format", (line) => line.replace("archive/1", "archive/2")],
  ])("a header with another %s", async (_, change) => {
    expect(await withLines(changedAt(0, change))).toHaveLength(1);
  });

  test("a file under another name, of another month, or cut off", async () => {
    await write("entries/elsewhere.ndjson.gz", lines);
    const other = pathOf("acknowledgement", monthsAgo(7));
    await write(other, lines);
    await writeFile(join(directory, path), gzipSync(`${lines.join("\n")}\n`).subarray(0, -20));
    try {
      const found = await defects();
      expect(found.map(({ defect, path: where }) => `${defect} ${where}`)).toEqual(
        expect.arrayContaining([
          "header wrong entries/elsewhere.ndjson.gz:1",
          `header wrong ${other}:1`,
          `archive not readable ${path}`,
        ]),
      );
    } finally {
      await write(path, lines);
      await rm(join(directory, other));
      await rm(join(directory, "entries/elsewhere.ndjson.gz"));
    }
  });

  test("entries of another month", async () => {
    const later = monthsAgo(7);
    const other = pathOf("acknowledgement", later);
    await write(other, lines.with(0, (lines[0] as string).replace(monthOf(at), monthOf(later))));
    try {
      expect((await defects())[0]).toMatchObject({
        defect: "row altered",
        path: `${other}:2`,
        detail: expect.stringContaining(`it is not of ${monthOf(later)}`),
      });
    } finally {
      await rm(join(directory, other));
    }
  });
});

describe("archive", () => {
  /** Runs `work` while an archive, which is complete as a file, waits to be recorded. */
  async function beforeRecord<T>(
    work: (run: { child: ChildProcess; blocker: pg.PoolClient }) => Promise<T>,
  ): Promise<T> {
    const blocker = await database.superuser.connect();
    try {
      await blocker.query("begin");
      await blocker.query("select from pgtrail.log for update");
      const env = { ...process.env, DATABASE_URL: database.url("migrator") };
      const args = ["dist/cli.js", "archive", "--to", directory];
      const child = spawn(process.execPath, args, { cwd: projectRoot, env });
      await vi.waitFor(
        async () => {
          const { rowCount } = await database.superuser.query(
            "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%record_archive%'",
          );
          expect(rowCount).toBe(1);
        },
        { timeout: 20_000 },
      );
      return await work({ child, blocker });
    } finally {
      await blocker.query("rollback");
      blocker.release();
    }
  }

  test("goes on after it was killed between the file and the record", async () => {
    const at = monthsAgo(8);
    await record("sync", at, 3);
    await sign();
    await beforeRecord(async ({ child }) => {
      child.kill("SIGKILL");
      await once(child, "close");
      await database.superuser.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where query like '%record_archive%' and pid <> pg_backend_pid()`,
      );
    });
    expect(await linesOf(pathOf("sync", at))).toHaveLength(4);
    expect(await archives("sync", at)).toEqual([]);
    expect(await applyRetention()).toContainEqual(expect.objectContaining({ method: "postponed" }));

    expect((await archive()).archived).toMatchObject([{ month: monthOf(at), entries: 3 }]);
    expect(await archives("sync", at)).toMatchObject([{ entries: 3 }]);
    expect(await readdir(join(directory, dirname(pathOf("sync", at))))).not.toContainEqual(
      expect.stringMatching(/^\./),
    );
    expect(await defects()).toEqual([]);
    await applyRetention();
  });

  test("notes no file that has what was erased meanwhile", async () => {
    const at = monthsAgo(8);
    const [id] = await record("acknowledgement", at, 1);
    await sign();
    const stderr = await beforeRecord(async ({ child, blocker }) => {
      const told = text(child.stderr as Readable);
      await blocker.query(
        "select pgtrail.erase('public.coordinator_acknowledgement_audit', $1, '{note}', 'a request')",
        [id],
      );
      await blocker.query("commit");
      return told;
    });
    expect(stderr).toMatch(
      /something of coordinator_ack.* was erased while it was archived\nHint: /,
    );
    expect(await archives("acknowledgement", at)).toEqual([]);
    await expect(linesOf(pathOf("acknowledgement", at))).rejects.toThrow("ENOENT");
    expect((await archive()).archived).toMatchObject([{ month: monthOf(at), entries: 1 }]);
    expect(await defects()).toEqual([]);
    await applyRetention();
  });

  test("skips a month that is recorded, and writes it again where its file is not", async () => {
    const at = monthsAgo(9);
    await record("sync", at, 2);
    await sign();
    const asked = ["--trail", tables.sync, "--month", monthOf(at)];
    expect(await archive(...asked)).toMatchObject({ archived: [{ entries: 2 }], skipped: [] });
    expect(await archive(...asked)).toMatchObject({ archived: [], skipped: [{ entries: 2 }] });
    const file = join(directory, pathOf("sync", at));
    await rm(file);
    expect(await archive(...asked)).toMatchObject({ archived: [{ entries: 2 }], skipped: [] });

    // Whether a damaged one had more than the database has now, nobody knows.
    await writeFile(file, gzipSync("{}\n"));
    const { code, stderr } = await pgtrail(["archive", "--to", directory, ...asked]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/is there already and cannot be read: .*\nHint: .*Move it away/);
    await rm(file);
    await archive(...asked);
    expect(await done(["archive", "--to", directory, ...asked])).toContain("already");
    expect(await done(["archive", "--to", directory])).toMatch(/Nothing to archive/);
    await applyRetention();
  });

  test("is asked for again when a column was erased, and has its value no longer", async () => {
    const at = monthsAgo(10);
    const [id] = await record("acknowledgement", at, 2);
    await sign();
    await archive();
    const path = pathOf("acknowledgement", at);
    const values = async () =>
      (await linesOf(path)).slice(1).map((line) => JSON.parse(line).row.note.value);
    expect(await values()).toEqual(['a "note"\u2028', 'a "note"\u2028']);
    await database.superuser.query(
      "select pgtrail.erase($1::regclass, $2, '{note}', 'a request')",
      [tables.acknowledgement, id],
    );
    expect(await applyRetention()).toMatchObject([{ method: "postponed" }]);
    await archive();
    expect(await values()).toEqual([undefined, 'a "note"\u2028']);
    expect(await defects()).toEqual([]);
    expect(await applyRetention()).toMatchObject([{ method: "drop", entries: 2 }]);
  });

  test("is asked for again when a policy removed entries of the month", async () => {
    const at = monthsAgo(1, 1);
    const organisation = randomUUID();
    await record("acknowledgement", at, 3, organisation);
    await record("acknowledgement", at, 2);
    await sign();
    const asked = ["--trail", tables.acknowledgement, "--month", monthOf(at)];
    expect(await archive(...asked)).toMatchObject({ archived: [{ entries: 5 }] });
    await database.superuser.query("select pgtrail.set_retention_floor('0')");
    await database.superuser.query(
      `delete from pgtrail.retention_policy;
       select pgtrail.set_retention('public.coordinator_acknowledgement_audit', '1 day', '${organisation}')`,
    );
    expect(await applyRetention()).toMatchObject([{ method: "delete", entries: 3 }]);
    expect(await archive(...asked)).toMatchObject({ archived: [{ entries: 2 }] });
    await database.superuser.query("select pgtrail.set_retention_floor('30 days')");
    // The older file has what is nowhere else.
    const files = await readdir(join(directory, dirname(pathOf("acknowledgement", at))));
    expect(files.filter((name) => name.startsWith(monthOf(at)))).toHaveLength(2);
    expect(await defects()).toEqual([]);
  });

  test("keeps the file of a month that was dropped and filled again", async () => {
    const at = monthsAgo(11);
    const path = pathOf("acknowledgement", at);
    await record("acknowledgement", at, 2);
    await sign();
    const { size } = await archive();
    const first = await linesOf(path);
    await applyRetention();
    await record("acknowledgement", at, 1);
    await sign();
    expect((await archive()).archived).toMatchObject([{ entries: 1 }]);
    expect(await linesOf(path.replace("ndjson", `${size}.ndjson`))).toEqual(first);
    expect(await linesOf(path)).toHaveLength(2);
    expect(await defects()).toEqual([]);
    await applyRetention();
    expect(await verify(database.superuser)).toEqual([]);
  });

  test("notes nothing of entries that are not what was sealed", async () => {
    const at = monthsAgo(12);
    const [id] = await record("sync", at, 2);
    await sign();
    const alter = (source: string) =>
      database.superuser.query(
        `begin; alter table public.hlf_sync_audit_log disable trigger all;
         update public.hlf_sync_audit_log set source = '${source}' where id = '${id}';
         alter table public.hlf_sync_audit_log enable always trigger refuse_change_of_statement;
         alter table public.hlf_sync_audit_log enable always trigger refuse_change_of_row; commit`,
      );
    await alter("break_glass");
    const { code, stderr } = await pgtrail(["archive", "--to", directory]);
    await alter("nightly_batch");
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /has 2 entries of hlf_sync_audit_log in .*, the trail 1 of them as they/,
    );
    expect(await archives("sync", at)).toEqual([]);
    expect(await readdir(join(directory, dirname(pathOf("sync", at))))).not.toContain(
      `${monthOf(at)}.ndjson.gz`,
    );
    expect(await archivable()).toMatchObject([{ month: monthOf(at) }]);
    await archive();
    await applyRetention();
  });

  test("says when entries are newer than the checkpoint", async () => {
    const at = monthsAgo(13);
    await record("sync", at, 1);
    const { code, stderr } = await pgtrail(["archive", "--to", directory]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/is not in the tiles of .*\nHint: .*sign one/);
    await sign();
    await archive();
    await applyRetention();
  });

  test("says what is wrong with its options, and who may call it", async () => {
    expect((await pgtrail(["archive"])).code).toBe(2);
    const wrong = await pgtrail(["archive", "--to", directory, "--month", "2024-13"]);
    expect(`${wrong.code} ${wrong.stderr}`).toContain("It is written YYYY-MM");
    expect(wrong.code).toBe(2);
    const unknown = await pgtrail(["archive", "--to", directory, "--trail", "audit_lgo"]);
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no trail"),
    });

    for (const query of [
      "select * from pgtrail.archivable_months()",
      "select * from pgtrail.archive_entries('public.audit_log', '2024-05-01')",
    ]) {
      await database.as("auditor", (client) => client.query(query));
      for (const persona of ["anon", "orgAdminA", "service"] as const) {
        const refused = database.as(persona, (client) => client.query(query));
        expect(await sqlstate(refused)).toBe("42501");
      }
    }
  });
});
