import { performance } from "node:perf_hooks";
import type pg from "pg";
import { cpuOf, drive, interleave, median, quantile, ratios, type Slice } from "./measure.js";
import { type Report, verdict } from "./report.js";
import type { BenchDatabase, BenchServer } from "./server.js";

const ROWS = 100_000;
const TARGETS = { single: 1.7, update: 3.5, insert: 2.2 };

/** How changes are captured. The baselines follow a published pattern and are written here. */
const VARIANTS = ["none", "pgtrail", "two documents", "old and changed", "history table"] as const;
type Variant = (typeof VARIANTS)[number];

/** What reports call them. */
const LABELS: Record<Variant, string> = {
  none: "no capture",
  pgtrail: "pgtrail.track",
  "two documents": "two documents (as supa_audit)",
  "old and changed": "old row and changed fields (as 2ndQuadrant)",
  "history table": "history table (as PGHist)",
};

/** Where a variant keeps what it captured. */
const STORES: Record<Exclude<Variant, "none">, string> = {
  pgtrail: "public.audit_log",
  "two documents": "bench.record_version",
  "old and changed": "bench.logged_action",
  "history table": "bench.account_history",
};

/** Puts a baseline on bench.<table>. */
const BASELINES: Record<"two documents" | "old and changed" | "history table", string> = {
  // After each row, in plpgsql: the whole old and new row as jsonb, and an id of the row, hashed from table and key.
  "two documents": `
    create table bench.record_version (
        id            bigint generated always as identity primary key,
        record_id     uuid,
        old_record_id uuid,
        op            text not null,
        ts            timestamptz not null default now(),
        table_oid     oid not null,
        table_schema  name not null,
        table_name    name not null,
        record        jsonb,
        old_record    jsonb
    );
    create index on bench.record_version (record_id) where record_id is not null;
    create index on bench.record_version (old_record_id) where old_record_id is not null;
    create index on bench.record_version using brin (ts);
    create index on bench.record_version (table_oid);
    create function bench.record_id(relation oid, record jsonb) returns uuid language sql stable as $$
        select md5(jsonb_build_array(relation, record ->> 'id')::text)::uuid
        where record is not null
    $$;
    create function bench.tg__two_documents() returns trigger
        language plpgsql security definer set search_path = '' as $$
    declare
        v_new jsonb := to_jsonb(new);
        v_old jsonb := to_jsonb(old);
    begin
        insert into bench.record_version (
            record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
        select bench.record_id(tg_relid, v_new), bench.record_id(tg_relid, v_old), tg_op, tg_relid, tg_table_schema,
            tg_table_name, v_new, v_old;
        return coalesce(new, old);
    end $$;
    create trigger capture after insert or update or delete on bench.two_documents
        for each row execute function bench.tg__two_documents();`,
  // After each row, in plpgsql: the old row, the fields that changed, and much about the session.
  "old and changed": `
    create table bench.logged_action (
        event_id          bigint generated always as identity primary key,
        schema_name       text not null,
        table_name        text not null,
        relid             oid not null,
        session_user_name text,
        action_tstamp_tx  timestamptz not null,
        action_tstamp_stm timestamptz not null,
        action_tstamp_clk timestamptz not null,
        transaction_id    bigint,
        application_name  text,
        client_addr       inet,
        client_port       int,
        client_query      text,
        action            text not null check (action in ('I', 'D', 'U', 'T')),
        row_data          jsonb,
        changed_fields    jsonb,
        statement_only    boolean not null
    );
    create index on bench.logged_action (relid);
    create index on bench.logged_action (action_tstamp_stm);
    create index on bench.logged_action (action);
    create function bench.tg__old_and_changed() returns trigger
        language plpgsql security definer set search_path = '' as $$
    declare
        v_row jsonb;
        v_changed jsonb;
    begin
        if tg_op = 'UPDATE' then
            v_row := to_jsonb(old);
            select jsonb_object_agg(field.key, field.value) into v_changed
            from jsonb_each(to_jsonb(new)) as field
            where field.value is distinct from v_row -> field.key;
            if v_changed is null then
                return null;
            end if;
        elsif tg_op = 'DELETE' then
            v_row := to_jsonb(old);
        else
            v_row := to_jsonb(new);
        end if;
        insert into bench.logged_action (
            schema_name, table_name, relid, session_user_name, action_tstamp_tx, action_tstamp_stm, action_tstamp_clk,
            transaction_id, application_name, client_addr, client_port, client_query, action, row_data, changed_fields,
            statement_only)
        values (
            tg_table_schema, tg_table_name, tg_relid, session_user, current_timestamp, statement_timestamp(),
            clock_timestamp(), txid_current(), current_setting('application_name'), inet_client_addr(),
            inet_client_port(), current_query(), left(tg_op, 1), v_row, v_changed, false);
        return null;
    end $$;
    create trigger capture after insert or update or delete on bench.old_and_changed
        for each row execute function bench.tg__old_and_changed();`,
  // After each statement, with static SQL for this table: its columns, of which an update fills the old values that changed.
  "history table": `
    create table bench.account_history (
        history_id       bigint generated always as identity primary key,
        id               bigint,
        operation        text not null,
        statement_id     bigint not null,
        changed_at       timestamptz not null default clock_timestamp(),
        transaction_id   bigint not null default txid_current(),
        db_user          name not null default session_user,
        application_name text default current_setting('application_name'),
        owner            text,
        email            text,
        balance          numeric,
        status           text,
        note             text,
        opened_at        timestamptz,
        updated_at       timestamptz,
        changed_columns  text[]
    );
    create index on bench.account_history (id, history_id);
    create sequence bench.statement_id;
    create function bench.tg__history_table() returns trigger
        language plpgsql security definer set search_path = '' as $$
    declare
        v_statement bigint := nextval('bench.statement_id');
    begin
        if tg_op = 'INSERT' then
            insert into bench.account_history (id, operation, statement_id)
            select after.id, 'INSERT', v_statement from new_rows as after;
        else
            insert into bench.account_history (
                id, operation, statement_id, owner, email, balance, status, note, opened_at, updated_at, changed_columns)
            select after.id, 'UPDATE', v_statement,
                case when before.owner is distinct from after.owner then before.owner end,
                case when before.email is distinct from after.email then before.email end,
                case when before.balance is distinct from after.balance then before.balance end,
                case when before.status is distinct from after.status then before.status end,
                case when before.note is distinct from after.note then before.note end,
                case when before.opened_at is distinct from after.opened_at then before.opened_at end,
                case when before.updated_at is distinct from after.updated_at then before.updated_at end,
                array_remove(array[
                    case when before.owner is distinct from after.owner then 'owner' end,
                    case when before.email is distinct from after.email then 'email' end,
                    case when before.balance is distinct from after.balance then 'balance' end,
                    case when before.status is distinct from after.status then 'status' end,
                    case when before.note is distinct from after.note then 'note' end,
                    case when before.opened_at is distinct from after.opened_at then 'opened_at' end,
                    case when before.updated_at is distinct from after.updated_at then 'updated_at' end], null)
            from old_rows as before
            join new_rows as after on after.id = before.id
            where before.* is distinct from after.*;
        end if;
        return null;
    end $$;
    create trigger capture_insert after insert on bench.history_table
        referencing new table as new_rows for each statement execute function bench.tg__history_table();
    create trigger capture_update after update on bench.history_table
        referencing old table as old_rows new table as new_rows
        for each statement execute function bench.tg__history_table();`,
};

/**
 * What a captured row is made of, each alone in a trigger that is made as those of pgtrail.track are.
 * What is left is reading the row and comparing its columns.
 */
const PARTS = {
  "a trigger that does nothing": "",
  "who made the change": "perform pgtrail._change_context();",
  "the INSERT into audit_log, of constants": `
    insert into public.audit_log (
        id, organisation_id, actor_id, actor_kind, database_role, action, entity_type, entity_id, changes, details)
    values (
        pgtrail.uuid7(), '00000000-0000-0000-0000-000000000000', 'authenticator', 'service', 'service_role',
        'part.updated', 'bench.part', '1', '{"balance": {"new": 2, "old": 1}}', '{"actor_source": "claims"}');`,
} as const;
type Part = keyof typeof PARTS;

/** A bulk statement, rolled back. */
interface Bulk {
  milliseconds: number;
  /** Processor time of the backend for a row, in microseconds; null where there is no /proc. */
  cpuPerRow: number | null;
}

type Results<T> = Record<string, T[]>;

/** Compares a table whose changes are captured with one whose are not, and with other ways to capture them. */
export async function capture(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 1 : 9;
  const bulkRounds = short ? 1 : 7;
  const milliseconds = short ? 300 : 1000;
  const database = await server.createDatabase("bench_capture");
  try {
    const { superuser } = database;
    await superuser.query("create schema bench; grant usage on schema bench to service_role");
    for (const variant of VARIANTS) await createAccount(superuser, variant);
    for (const [n, part] of partNames.entries()) await createPart(superuser, partTable(n), part);
    await superuser.query("vacuum analyze");
    await superuser.query("checkpoint");
    const writers = await Promise.all(
      Array.from({ length: 8 }, () => database.connect({ role: "service_role" })),
    );
    const [writer] = writers as [pg.Client];

    const single: { clients: number; slices: Results<Slice> }[] = [];
    for (const clients of [1, 8]) {
      single.push({
        clients,
        slices: await interleave(
          rounds,
          alternatives((variant) =>
            drive(writers.slice(0, clients), milliseconds, update(tableOf(variant))),
          ),
        ),
      });
    }
    const parts = await interleave(rounds, {
      none: () => drive([writer], milliseconds, update(tableOf("none"))),
      all: () => drive([writer], milliseconds, update(tableOf("pgtrail"))),
      ...Object.fromEntries(
        partNames.map((part, n) => [
          part,
          () => drive([writer], milliseconds, update(partTable(n))),
        ]),
      ),
    });
    const bytes = await bytesPerUpdate(database, writer, short ? 2_000 : 20_000);
    await superuser.query("vacuum analyze");
    const bulk = {
      update: await interleave(
        bulkRounds,
        alternatives((variant) =>
          rolledBack(
            writer,
            `update ${tableOf(variant)} set balance = balance + 1, updated_at = clock_timestamp()`,
          ),
        ),
      ),
      insert: await interleave(
        bulkRounds,
        alternatives((variant) =>
          rolledBack(writer, `insert into ${tableOf(variant)} ${newRows(ROWS + 1)}`),
        ),
      ),
    };

    return {
      title: "capturing the changes of a table",
      setup:
        `Table account of ${ROWS.toLocaleString("en")} rows and 8 columns, one copy for each way. Single: UPDATE of 2 columns of a random row by its key, ` +
        "one prepared statement a transaction, by service_role, default durability, closed loop, all clients in one Node process on the same " +
        `machine; ${rounds} rounds of ${milliseconds / 1000} s for each in turn. Bulk: one statement of ${ROWS.toLocaleString("en")} rows, rolled back; ${bulkRounds} rounds. ` +
        "CPU is the backends' processor time. Ratios are taken within each round, and are medians (quartiles in brackets). pgtrail.track writes " +
        "to audit_log: one partition a month, 6 indexes, guards, row level security. The others are baselines written for this comparison after the " +
        "pattern of a known tool, not the tool: supa_audit (AFTER ROW, old and new row as jsonb, hashed record id, primary key and 4 indexes), " +
        "2ndQuadrant's audit trigger (AFTER ROW, old row and changed fields as jsonb, client query, primary key and 3 indexes), PGHist (AFTER STATEMENT, " +
        "typed history of the old values that changed, not partitioned). None of them records who acted by a verified token, or is append-only, " +
        "and the last one keeps no values of an INSERT. The parts of a capture are triggers that do one thing of what pgtrail.track's does, on tables of " +
        "their own; what is left is reading the row and comparing its columns.",
      tables: [
        {
          title: "Single-row UPDATE",
          columns: [
            "clients",
            "capture",
            "transactions/s",
            "CPU us/transaction",
            "CPU against no capture",
            "target",
            "CPU of pgtrail against it",
          ],
          rows: single.flatMap(({ clients, slices }) =>
            VARIANTS.map((variant) => [
              String(clients),
              LABELS[variant],
              Math.round(
                median((slices[variant] ?? []).map((slice) => slice.rowsPerSecond)),
              ).toLocaleString("en"),
              median(cpu(slices[variant])).toFixed(1),
              ...comparison(variant, slices, cpu, TARGETS.single),
            ]),
          ),
        },
        {
          title: "What a single-row UPDATE is captured with, 1 client",
          columns: ["part", "CPU us/transaction more than no capture"],
          rows: [...partNames, "all" as const].map((part) => [
            part === "all" ? LABELS.pgtrail : part,
            median(
              cpu(parts[part]).map((own, round) => own - (cpu(parts.none)[round] ?? Number.NaN)),
            ).toFixed(0),
          ]),
        },
        ...(["update", "insert"] as const).map((kind) => ({
          title: `Bulk ${kind.toUpperCase()} of ${ROWS.toLocaleString("en")} rows`,
          columns: [
            "capture",
            "ms",
            "CPU us/row",
            "time against no capture",
            "target",
            "time of pgtrail against it",
          ],
          rows: VARIANTS.map((variant) => [
            LABELS[variant],
            Math.round(median(time(bulk[kind][variant]))).toLocaleString("en"),
            median(cpu(bulk[kind][variant])).toFixed(1),
            ...comparison(variant, bulk[kind], time, TARGETS[kind]),
          ]),
        })),
        {
          title: "Bytes of an audited single-row UPDATE",
          columns: ["capture", "table", "indexes", "together", "of which the row"],
          rows: Object.entries(bytes).map(([variant, of]) => [
            LABELS[variant as Variant],
            ...[of.table, of.indexes, of.table + of.indexes, of.row].map((size) =>
              Math.round(size).toLocaleString("en"),
            ),
          ]),
        },
      ],
      raw: { single, parts, bulk, bytes },
    };
  } finally {
    await database.drop();
  }
}

function alternatives<T>(run: (variant: Variant) => Promise<T>): Record<string, () => Promise<T>> {
  return Object.fromEntries(VARIANTS.map((variant) => [variant, () => run(variant)]));
}

function tableOf(variant: Variant): string {
  return `bench.${variant.replaceAll(" ", "_")}`;
}

const partNames = Object.keys(PARTS) as Part[];

function partTable(n: number): string {
  return `bench.part_${n}`;
}

/** A query for rows of account, as many as there are, of which the first has the given id. */
function newRows(first: number): string {
  return (
    "select n, 'owner ' || n, 'owner' || n || '@example.org', n % 1000, 'active', " +
    "'opened in the branch, papers seen', now(), now() " +
    `from generate_series(${first}, ${first + ROWS - 1}) as n`
  );
}

async function createAccount(superuser: pg.Client, variant: Variant): Promise<void> {
  const table = tableOf(variant);
  await createTable(superuser, table);
  if (variant === "pgtrail") await superuser.query(`select pgtrail.track('${table}')`);
  else if (variant !== "none") await superuser.query(BASELINES[variant]);
}

async function createPart(superuser: pg.Client, table: string, part: Part): Promise<void> {
  await createTable(superuser, table);
  await superuser.query(`
    create function ${table}() returns trigger language plpgsql security definer as $$
    begin
        ${PARTS[part]}
        return null;
    end $$;
    alter function ${table}() owner to pgtrail_owner;
    update pg_proc set proconfig = made.proconfig
    from pg_trigger join pg_proc as made on made.oid = tgfoid
    where tgrelid = '${tableOf("pgtrail")}'::regclass and tgname = 'pgtrail_capture_update'
        and pg_proc.oid = '${table}()'::regprocedure;
    create trigger capture after update on ${table}
        referencing old table as old_rows new table as new_rows
        for each statement execute function ${table}()`);
}

async function createTable(superuser: pg.Client, table: string): Promise<void> {
  await superuser.query(`
    create table ${table} (
        id         bigint primary key,
        owner      text not null,
        email      text not null,
        balance    numeric not null,
        status     text not null,
        note       text,
        opened_at  timestamptz not null,
        updated_at timestamptz not null
    ) with (fillfactor = 80);
    grant select, insert, update on ${table} to service_role;
    insert into ${table} ${newRows(1)}`);
}

function update(table: string) {
  const text = `update ${table} set balance = balance + 1, updated_at = clock_timestamp() where id = $1`;
  return async (client: pg.Client) => {
    await client.query({ name: table, text, values: [1 + Math.floor(Math.random() * ROWS)] });
    return 1;
  };
}

/** Runs a statement in a transaction that is rolled back: every round finds the same table. */
async function rolledBack(client: pg.Client, text: string): Promise<Bulk> {
  await client.query("begin");
  const cpuBefore = await cpuOf([client]);
  const start = performance.now();
  await client.query(text);
  const milliseconds = performance.now() - start;
  const cpuAfter = await cpuOf([client]);
  await client.query("rollback");
  const cpuPerRow = cpuBefore !== null && cpuAfter !== null ? (cpuAfter - cpuBefore) / ROWS : null;
  return { milliseconds, cpuPerRow };
}

interface Bytes {
  table: number;
  indexes: number;
  row: number;
}

/** What storage grows by for an update, in bytes; the store is emptied of dead room before. */
async function bytesPerUpdate(
  { superuser }: BenchDatabase,
  writer: pg.Client,
  updates: number,
): Promise<Partial<Record<Variant, Bytes>>> {
  const sizes: Partial<Record<Variant, Bytes>> = {};
  for (const variant of VARIANTS) {
    if (variant === "none") continue;
    const store = STORES[variant];
    const size = async () => {
      const { rows } = await superuser.query(
        `select sum(pg_table_size(part.relid))::float8 as table, sum(pg_indexes_size(part.relid))::float8 as indexes
         from (
           -- None for a table without partitions.
           select relid from pg_partition_tree($1) union select $1::regclass
         ) as part (relid)`,
        [store],
      );
      return rows[0] as { table: number; indexes: number };
    };
    const before = await size();
    await writer.query("begin");
    for (let n = 0; n < updates; n++) await update(tableOf(variant))(writer);
    await writer.query("commit");
    const after = await size();
    const { rows } = await superuser.query(
      `select avg(pg_column_size(entry.*))::float8 as row
       from (select * from ${store} as entry order by entry.ctid desc limit 1000) as entry`,
    );
    sizes[variant] = {
      table: (after.table - before.table) / updates,
      indexes: (after.indexes - before.indexes) / updates,
      row: rows[0].row,
    };
  }
  return sizes;
}

/** Against no capture, with the verdict for pgtrail, and pgtrail against this one. */
function comparison<T>(
  variant: Variant,
  results: Results<T>,
  valuesOf: (results?: T[]) => number[],
  target: number,
): string[] {
  const own = valuesOf(results[variant]);
  const ratio = ratios(own, valuesOf(results.none));
  return [
    variant === "none" ? "" : spread(ratio),
    variant === "pgtrail" ? verdict(median(ratio) <= target, `<= ${target.toFixed(1)}`) : "",
    variant === "none" || variant === "pgtrail"
      ? ""
      : spread(ratios(valuesOf(results.pgtrail), own)),
  ];
}

function spread(ratio: number[]): string {
  return `${median(ratio).toFixed(2)} (${quantile(ratio, 0.25).toFixed(2)} to ${quantile(ratio, 0.75).toFixed(2)})`;
}

function cpu(results: { cpuPerRow: number | null }[] = []): number[] {
  return results.map(({ cpuPerRow }) => cpuPerRow ?? Number.NaN);
}

function time(results: Bulk[] = []): number[] {
  return results.map(({ milliseconds }) => milliseconds);
}
