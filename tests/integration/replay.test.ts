import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { createEdgeAuditLogger, type EvaluationLog } from "../../src/edge.js";
import type { AuditEntry } from "../../src/writer/types.js";
import { failureLine, newEntry, uuid7 } from "../harness/failure_line.js";
import { ids, useDatabase } from "../harness/index.js";

const database = useDatabase();

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgtrail-replay-"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs `pgtrail replay`, by default as the migrator. */
async function run(args: readonly string[], stdin: string | Buffer = "", environment = {}) {
  const child = spawn(process.execPath, ["dist/cli.js", "replay", ...args], {
    cwd: projectRoot,
    env: { ...process.env, DATABASE_URL: database.url("migrator"), ...environment },
  });
  // It may end without having read anything.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code: code as number, stdout, stderr };
}

/** Replays texts as files, in order, and gives the summary and the exit code. */
async function replay(files: readonly (string | Buffer)[], ...more: string[]) {
  const paths = await Promise.all(files.map(write));
  const { code, stdout, stderr } = await run([...paths, "--json", ...more]);
  expect(stderr).toBe("");
  const { problems, lines, ...counts } = JSON.parse(stdout);
  return { code, lines, counts, problems };
}

let files = 0;
async function write(contents: string | Buffer): Promise<string> {
  const path = join(directory, `${++files}.log`);
  await writeFile(path, contents);
  return path;
}

const logOf = (...entries: AuditEntry[]) =>
  entries.map((entry) => `listening\n${failureLine(entry)}\n`).join("");

const nothing = {
  dryRun: false,
  failures: 0,
  inserted: 0,
  alreadyThere: 0,
  redacted: 0,
  refused: 0,
  conflicts: 0,
};

/** The entries of these ids as the database has them, in the order of the ids. */
async function entriesOf(...wanted: AuditEntry[]): Promise<AuditEntry[]> {
  const { rows } = await database.superuser.query(
    `select id, organisation_id, actor_id, actor_kind, impersonator_id, action, entity_type, entity_id,
       changes, details, host(ip_address) as ip_address, user_agent, request_id, trace_id
     from unnest($1::uuid[]) with ordinality as wanted (id, place) join audit_log using (id) order by place`,
    [wanted.map(({ id }) => id)],
  );
  return rows;
}

function monthsAgo(months: number): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 15));
}

test("inserts what is missing, as it was, and a second time nothing", async () => {
  const full = newEntry({
    actor_kind: "impersonated",
    impersonator_id: "grace",
    changes: { name: { old: 'a "b"', new: "\\ å 😀 \u2028" } },
    details: { deep: [1, 1.5, null, true, { a: {} }], "": "'); drop table audit_log; --" },
    ip_address: "192.0.2.7",
    user_agent: "Mozilla",
    request_id: "r1",
    trace_id: "t1",
  });
  const entries = [newEntry(), full, newEntry()];
  const first = await replay([logOf(...entries)]);
  expect(first).toEqual({
    code: 0,
    lines: 6,
    counts: { ...nothing, failures: 3, inserted: 3 },
    problems: [],
  });
  expect(await entriesOf(...entries)).toEqual(entries);

  const second = await replay([logOf(...entries)]);
  expect(second.code).toBe(0);
  expect(second.counts).toEqual({ ...nothing, failures: 3, alreadyThere: 3 });
});

test("counts an entry once, in however many lines and files it is", async () => {
  const [a, b] = [newEntry(), newEntry()];
  const evicted = failureLine(a, { status: "evicted", code: null });
  const { code, counts } = await replay([logOf(a, b, a), `${evicted}\n`, JSON.stringify(b)]);
  expect({ code, counts }).toEqual({ code: 0, counts: { ...nothing, failures: 2, inserted: 2 } });
});

describe("the same id with other content is a conflict", () => {
  test("with the database, which keeps what it has", async () => {
    const kept = newEntry({ details: { n: 1 } });
    await replay([logOf(kept)]);
    const { code, counts, problems } = await replay([
      logOf({ ...kept, details: { n: 2 } }, newEntry()),
    ]);
    expect({ code, counts }).toEqual({
      code: 1,
      counts: { ...nothing, failures: 2, inserted: 1, conflicts: 1 },
    });
    expect(problems).toMatchObject([
      {
        line: 2,
        id: kept.id,
        kind: "conflict",
        reason: "the database has another entry under this id",
      },
    ]);
    expect(await entriesOf(kept)).toEqual([kept]);
  });

  test.each([
    ["", []],
    [", in a dry run", ["--dry-run"]],
  ])("with another line of the files%s", async (_, more) => {
    const first = newEntry({ action: "a.first" });
    const second = { ...first, action: "a.second" };
    const { code, counts, problems } = await replay([logOf(first), logOf(second, second)], ...more);
    expect({ code, counts }).toMatchObject({
      code: 1,
      counts: { failures: 2, inserted: 1, conflicts: 1 },
    });
    expect(problems).toMatchObject([
      { line: 2, id: first.id, reason: "the files have another entry under this id" },
    ]);
    expect(await entriesOf(first)).toEqual(more.length === 0 ? [first] : []);
  });

  test("but not when only the order of its keys is another", async () => {
    const entry = newEntry({ details: { a: 1, b: { c: 2, d: 3 } } });
    const turned = { ...entry, details: { b: { d: 3, c: 2 }, a: 1 } };
    const { code, counts } = await replay([logOf(entry, turned)]);
    expect({ code, counts }).toEqual({ code: 0, counts: { ...nothing, failures: 1, inserted: 1 } });
    expect((await replay([logOf(turned)])).counts).toMatchObject({ alreadyThere: 1, conflicts: 0 });
  });

  test("and not when the database has erased what differs", async () => {
    const entry = newEntry({ details: { name: "Ada" }, ip_address: "192.0.2.7" });
    await replay([logOf(entry)]);
    await database.superuser.query("select pgtrail.seal()");
    await database.superuser.query("select pgtrail.enable_retention()");
    await database.superuser.query(
      "select pgtrail.erase('audit_log', $1, '{details,ip_address}', 'asked for')",
      [entry.id],
    );
    expect((await entriesOf(entry))[0]?.details).toBeNull();
    const { code, counts } = await replay([logOf(entry)]);
    expect({ code, counts }).toEqual({
      code: 0,
      counts: { ...nothing, failures: 1, alreadyThere: 1 },
    });
    expect((await entriesOf(entry))[0]?.details).toBeNull();
  });
});

describe("a line without its payload", () => {
  test("is counted and not invented", async () => {
    const entry = newEntry();
    const line = failureLine(entry, { event: null });
    const { code, counts, problems } = await replay([`${line}\n${line}\n`]);
    expect({ code, counts }).toEqual({ code: 1, counts: { ...nothing, failures: 1, redacted: 1 } });
    expect(problems).toMatchObject([{ line: 1, id: entry.id, kind: "redacted" }]);
    expect(await entriesOf(entry)).toEqual([]);
  });

  test("is not lost when the entry got into the database, or is in the files, in another way", async () => {
    const [flushed, later] = [newEntry(), newEntry()];
    await replay([logOf(flushed)]);
    const redacted = [flushed, later].map((entry) => failureLine(entry, { event: null }));
    const { code, counts } = await replay([redacted.join("\n"), logOf(later)]);
    expect({ code, counts }).toEqual({
      code: 0,
      counts: { ...nothing, failures: 2, inserted: 1, alreadyThere: 1 },
    });
  });
});

test("an entry that is refused keeps no other one back", async () => {
  const good = Array.from({ length: 700 }, (_, n) => newEntry({ entity_id: `b${n}` }));
  const poison: [AuditEntry, RegExp][] = [
    [newEntry({ action: "" }), /^23514: .*action_has_1_to_200_characters/],
    [newEntry({ details: { a: "\u0000" } }), /^22P05: /],
    [newEntry({ details: { a: "\ud800" } }), /^22P02: /],
    [newEntry({ ip_address: "here" }), /^22P02: /],
    [newEntry({ changes: { a: uuid7().repeat(2000) } }), /document_has_at_most_64_kib/],
    [newEntry({ actor_id: null }), /actor_fits_its_kind/],
    [newEntry({ id: uuid7(new Date(Date.now() + 3_600_000)) }), /event_is_not_in_the_future/],
    [newEntry({ id: uuid7(new Date("1970-02-03")) }), /no partition/],
    [newEntry({ id: uuid7(new Date("9999-02-03")) }), /no partition/],
  ];
  const entries = [...good];
  poison.forEach(([entry], n) => {
    entries.splice(70 * n + 3, 0, entry);
  });
  const broken = failureLine({ ...newEntry(), secret_column: 1 } as unknown as AuditEntry);
  const { code, counts, problems } = await replay([`${logOf(...entries)}${broken}\n`]);
  expect({ code, counts }).toEqual({
    code: 1,
    counts: { ...nothing, failures: 710, inserted: 700, refused: 10 },
  });
  const byId = new Map(problems.map((problem: { id: string }) => [problem.id, problem]));
  for (const [entry, reason] of poison) {
    const line = 2 * entries.indexOf(entry) + 2;
    expect(byId.get(entry.id)).toMatchObject({ line, kind: "refused" });
    expect((byId.get(entry.id) as { reason: string }).reason).toMatch(reason);
  }
  expect(problems).toContainEqual(
    expect.objectContaining({
      line: 2 * entries.length + 1,
      reason: 'unknown column "secret_column"',
    }),
  );
  expect(await entriesOf(...good)).toHaveLength(700);
});

test("what a trigger of the database refuses is of one entry", async () => {
  await database.superuser.query(`
    create function public.refuse_it() returns trigger language plpgsql as
      $$ begin raise 'not this one'; end $$;
    create trigger refuse_it before insert on audit_log
      for each row when (new.action = 'not.this') execute function refuse_it()`);
  const good = newEntry();
  const { code, counts, problems } = await replay([logOf(newEntry({ action: "not.this" }), good)]);
  expect({ code, counts }).toMatchObject({ code: 1, counts: { inserted: 1, refused: 1 } });
  expect(problems).toMatchObject([{ reason: "P0001: not this one" }]);
});

test("makes the partitions of events that are older", async () => {
  const monthsOf = async () => {
    const { rows } = await database.superuser.query(
      "select count(*)::int as n from pg_inherits where inhparent = 'audit_log'::regclass",
    );
    return rows[0].n as number;
  };
  const old = [7, 40].map((months) => newEntry({ id: uuid7(monthsAgo(months)) }));
  const entries = [newEntry(), ...old, newEntry({ action: "" })];
  const before = await monthsOf();

  const dry = await replay([logOf(...entries)], "--dry-run");
  expect({ code: dry.code, counts: dry.counts }).toEqual({
    code: 1,
    counts: { ...nothing, dryRun: true, failures: 4, inserted: 3, refused: 1 },
  });
  expect(await monthsOf()).toBe(before);
  expect(await entriesOf(...entries)).toEqual([]);

  const { code, counts } = await replay([logOf(...entries)]);
  expect({ code, counts }).toEqual({
    code: 1,
    counts: { ...nothing, failures: 4, inserted: 3, refused: 1 },
  });
  expect(await entriesOf(...old)).toEqual(old);
  expect(await monthsOf()).toBe(before + 39);
});

test("reads gzip, standard input, and both among files", async () => {
  const [a, b, c] = [newEntry(), newEntry(), newEntry()];
  const paths = [await write(gzipSync(logOf(a))), "-", await write(logOf(c))];
  const { code, stdout } = await run([...paths, "--json"], gzipSync(logOf(b)));
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ lines: 6, inserted: 3 });
  expect(await entriesOf(a, b, c)).toHaveLength(3);
});

test("a file that is damaged is told, and the rest is replayed", async () => {
  const [a, b] = [newEntry(), newEntry()];
  const zipped = gzipSync(`${logOf(a)}${"other\n".repeat(50_000)}`, { level: 0 });
  const { code, counts, problems } = await replay([zipped.subarray(0, 200_000), logOf(b)]);
  expect({ code, counts }).toEqual({
    code: 1,
    counts: { ...nothing, failures: 3, inserted: 2, refused: 1 },
  });
  expect(problems).toMatchObject([{ reason: "cannot read on: unexpected end of file" }]);
});

test("reads 100,000 lines, 200 MB of them, with 48 MB", async () => {
  const entries = Array.from({ length: 2000 }, () => newEntry());
  const other = `${"x".repeat(2000)}\n`.repeat(48);
  const path = await write(gzipSync(entries.map((entry) => logOf(entry) + other).join("")));
  const { code, stdout, stderr } = await run([path, "--json"], "", {
    NODE_OPTIONS: "--max-old-space-size=48",
  });
  expect(`${code} ${stderr}`).toBe("0 ");
  expect(JSON.parse(stdout)).toMatchObject({ lines: 100_000, failures: 2000, inserted: 2000 });
});

test("a connection that is lost ends it, and it goes on when it runs again", async () => {
  const entries = Array.from({ length: 1200 }, () => newEntry());
  const path = await write(logOf(...entries));
  const locker = await database.superuser.connect();
  try {
    await locker.query("begin");
    await locker.query("lock table audit_log in share mode");
    const replaying = run([path]);
    await vi.waitFor(
      async () => {
        const { rowCount } = await database.superuser.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name = 'pgtrail' and wait_event_type = 'Lock'`,
        );
        expect(rowCount).toBe(1);
      },
      { timeout: 20_000 },
    );
    const { code, stdout, stderr } = await replaying;
    expect(code).toBe(1);
    expect(stdout).not.toContain("inserted");
    expect(stderr).toMatch(/^pgtrail: (terminating connection|the connection)/);
  } finally {
    await locker.query("rollback");
    locker.release();
  }
  const { code, counts } = await replay([logOf(...entries)]);
  expect({ code, counts }).toMatchObject({ code: 0, counts: { inserted: 1200 } });
});

describe("a run of the evaluation of badges", () => {
  const badge = "b0000000-0000-4000-8000-000000000001";
  const evaluation = {
    org_id: ids.organisationA,
    peer_mentor_id: ids.coordinatorA,
    duration_ms: 3.2,
  };

  /** What an Edge Function logs while the database is away, a line each. */
  async function linesOf(logs: readonly EvaluationLog[], logPayload = true): Promise<string[]> {
    const lines: string[] = [];
    const away = () => Promise.reject(new Error("fetch failed"));
    const audit = createEdgeAuditLogger({
      supabase: { from: () => ({ upsert: away }), rpc: away },
      logger: { error: (line) => lines.push(line) },
      logPayload,
    });
    for (const log of logs) await audit.insertEvaluationLog(log);
    return lines;
  }

  async function runsOf(lines: readonly string[]) {
    const { rows } = await database.superuser.query(
      `select org_id, peer_mentor_id, duration_ms, activity_id, badges_evaluated, criteria_outcomes,
         badges_awarded, error_message, triggered_at
       from badge_evaluation_logs where id = any ($1::uuid[]) order by id`,
      [lines.map((line) => JSON.parse(line).eventId)],
    );
    return rows;
  }

  test.each(["migrator", "authenticator"] as const)(
    "is recorded as the function records it, and a second time not (%s)",
    async (login) => {
      const lines = await linesOf([
        evaluation,
        {
          ...evaluation,
          id: uuid7(monthsAgo(login === "migrator" ? 7 : 8)),
          activity_id: ids.orgAdminA,
          badges_evaluated: [badge],
          criteria_outcomes: { [badge]: true },
          badges_awarded: [badge],
          error_message: "57014",
        },
      ]);
      const text = [...lines, ...lines, failureLine(newEntry())].join("\n");
      const environment = { DATABASE_URL: database.url(login) };
      const first = await run(["-", "--json"], text, environment);
      expect(first.stderr).toBe("");
      expect(JSON.parse(first.stdout)).toMatchObject({ failures: 3, inserted: 3, problems: [] });
      const [old, recent] = await runsOf(lines);
      expect(recent).toMatchObject({
        ...evaluation,
        duration_ms: 4,
        activity_id: null,
        badges_evaluated: [],
        error_message: null,
      });
      expect(recent.triggered_at.getTime()).toBeGreaterThan(Date.now() - 60_000);
      expect(old).toMatchObject({
        activity_id: ids.orgAdminA,
        criteria_outcomes: { [badge]: true },
        badges_awarded: [badge],
        error_message: "criteria.timeout",
      });

      const second = await run(["-", "--json"], text, environment);
      expect(second.code).toBe(0);
      expect(JSON.parse(second.stdout)).toMatchObject({
        failures: 3,
        inserted: 0,
        alreadyThere: 3,
      });
    },
  );

  test("with other content under the same id is a conflict, in the database and in the files", async () => {
    const id = uuid7();
    const lines = await linesOf([
      { ...evaluation, id },
      { ...evaluation, id, duration_ms: 40 },
    ]);
    expect(await replay([lines.join("\n")])).toMatchObject({
      code: 1,
      counts: { failures: 2, inserted: 1, conflicts: 1 },
    });
    expect(await replay([lines.slice(1).join("\n")])).toMatchObject({
      code: 1,
      counts: { failures: 1, conflicts: 1 },
      problems: [{ id, reason: "the database has another entry under this id" }],
    });
    expect(await runsOf(lines)).toMatchObject([{ duration_ms: 4 }]);
  });

  test("that the database refuses keeps no other one back, nor an entry", async () => {
    const lines = await linesOf([
      evaluation,
      { ...evaluation, duration_ms: -1 },
      { ...evaluation, badges_awarded: [badge] },
      { ...evaluation, criteria_outcomes: { [badge]: "yes" as never } },
      { ...evaluation, id: uuid7(new Date(Date.now() + 3_600_000)) },
      evaluation,
    ]);
    const { code, counts, problems } = await replay([`${lines.join("\n")}\n${logOf(newEntry())}`]);
    expect({ code, counts }).toEqual({
      code: 1,
      counts: { ...nothing, failures: 7, inserted: 3, refused: 4 },
    });
    expect(problems.map(({ reason }: { reason: string }) => reason)).toEqual([
      expect.stringMatching(/^23514: .*duration_ms_is_1_or_more/),
      expect.stringMatching(/^23514: .*awarded_badges_were_evaluated_as_true/),
      expect.stringMatching(/^23514: .*outcomes_is_an_object_of_booleans/),
      "23514: the event lies in the future",
    ]);
    expect(await runsOf(lines)).toHaveLength(2);
  });

  test("is not recorded by a dry run", async () => {
    const lines = await linesOf([{ ...evaluation, id: uuid7(monthsAgo(9)) }]);
    expect(await replay(lines, "--dry-run")).toMatchObject({ code: 0, counts: { inserted: 1 } });
    expect(await runsOf(lines)).toEqual([]);
  });

  test("without its payload is redacted, unless the database has it", async () => {
    const [there, lost] = [uuid7(), uuid7()];
    await replay(await linesOf([{ ...evaluation, id: there }]));
    const lines = await linesOf(
      [there, lost].map((id) => ({ ...evaluation, id })),
      false,
    );
    expect(await replay([lines.join("\n")])).toMatchObject({
      code: 1,
      counts: { failures: 2, alreadyThere: 1, redacted: 1 },
      problems: [{ id: lost, kind: "redacted" }],
    });
  });
});

describe("it acts as", () => {
  const roleOf = async (entry: AuditEntry) => {
    const { rows } = await database.superuser.query(
      "select database_role from audit_log where id = $1",
      [entry.id],
    );
    return rows[0]?.database_role;
  };

  test.each(["migrator", undefined] as const)(
    "the login, where that may insert: %s",
    async (login) => {
      const entry = newEntry({ id: uuid7(monthsAgo(41)) });
      const url = database.url(login);
      const { code, stderr } = await run(["-"], logOf(entry), { DATABASE_URL: url });
      expect(`${code} ${stderr}`).toBe("0 ");
      expect(await roleOf(entry)).toBe(new URL(url).username);
    },
  );

  test("service_role, where only that may insert", async () => {
    const entry = newEntry({ id: uuid7(monthsAgo(42)) });
    const redacted = failureLine(newEntry(), { event: null });
    const { code, stdout } = await run(["-"], `${logOf(entry)}${redacted}\n`, {
      DATABASE_URL: database.url("authenticator"),
    });
    expect(code).toBe(1);
    expect(stdout).toContain("1 inserted, 0 already there, 1 redacted");
    expect(await roleOf(entry)).toBe("service_role");
  });

  test("nobody else", async () => {
    await database.superuser.query("create role passer_by login password 'pgtrail-test'");
    try {
      const url = database.url("authenticator").replace("authenticator", "passer_by");
      const entry = newEntry();
      const { code, stderr } = await run(["-"], logOf(entry), { DATABASE_URL: url });
      expect(code).toBe(1);
      expect(stderr).toBe(
        "pgtrail: this login may not insert into audit_log\n" +
          "Hint: Connect as a member of service_role or of pgtrail_owner.\n",
      );
      expect(await entriesOf(entry)).toEqual([]);
    } finally {
      await database.superuser.query("drop role passer_by");
    }
  });
});

test("people are told what is left behind, and where", async () => {
  const bad = newEntry({ action: "" });
  const path = await write(logOf(newEntry(), bad));
  const { code, stdout } = await run([path, "--dry-run"]);
  expect(code).toBe(1);
  expect(stdout).toContain(`✗ ${path}:4: refused ${bad.id}: 23514: `);
  expect(stdout).toContain("4 lines, 2 failures\n");
  expect(stdout).toContain(
    "1 would be inserted, 0 already there, 0 redacted, 1 refused, 0 conflicts\n",
  );
  expect(stdout).not.toContain(ids.organisationA);

  const done = await run(["-"], logOf(newEntry()));
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toContain("✓ Nothing is left behind");
});

test("wrong usage, and files that are not there", async () => {
  expect(await run([])).toMatchObject({ code: 2, stdout: "" });
  const entry = newEntry();
  const path = await write(logOf(entry));
  const { code, stderr } = await run([path, "/nowhere.log"]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: "pgtrail: there is no file /nowhere.log\n" });
  expect((await run([path, directory])).stderr).toContain("it is a directory");
  expect(await entriesOf(entry)).toEqual([]);
});

test("a database that is away is told, and nothing is counted as done", async () => {
  const path = await write(logOf(newEntry()));
  const { code, stdout, stderr } = await run([path], "", {
    DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none",
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("no Postgres listens at 127.0.0.1:1");
});
