import { createPlainTable, insertStatement, insertValues } from "./entries.js";
import { drive, interleave, median, ratios } from "./measure.js";
import type { Report } from "./report.js";
import type { BenchServer } from "./server.js";

/** Each makes bench.<name> a plain table with one part of a trail. */
const PARTS: Record<string, { label: string; statements: (table: string) => string[] }> = {
  plain: { label: "plain table", statements: () => [] },
  id: {
    label: "id by pgtrail.uuid7()",
    statements: (table) => [`alter table ${table} alter id set default pgtrail.uuid7()`],
  },
  time: {
    label: "event time generated from the id",
    statements: (table) => [
      `alter table ${table} drop occurred_at`,
      `alter table ${table} add occurred_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored`,
    ],
  },
  types: {
    label: "column types",
    statements: (table) => [
      `do $$ declare v_change text; begin
        for v_change in
            select format('alter %I type %s', shipped.attname, format_type(shipped.atttypid, shipped.atttypmod))
            from pg_attribute as shipped
            join pg_attribute as plain on plain.attname = shipped.attname and plain.attnum > 0
            where shipped.attrelid = 'public.audit_log'::regclass and plain.attrelid = '${table}'::regclass
                and (shipped.atttypid, shipped.atttypmod) <> (plain.atttypid, plain.atttypmod)
        loop execute 'alter table ${table} ' || v_change; end loop;
      end $$`,
    ],
  },
  checks: {
    label: "id by pgtrail.uuid7() and check constraints, which refuse others",
    statements: (table) => [
      `alter table ${table} alter id set default pgtrail.uuid7()`,
      `do $$ declare v_check text; begin
        for v_check in
            select pg_get_constraintdef(oid) from pg_constraint
            where conrelid = 'public.audit_log'::regclass and contype = 'c'
        loop execute 'alter table ${table} add ' || v_check; end loop;
      end $$`,
    ],
  },
  guards: {
    label: "guards",
    statements: (table) => [
      `create trigger statement_guard before update or delete or truncate on ${table}
        for each statement execute function pgtrail.tg__refuse_change()`,
      `create trigger row_guard before update or delete on ${table}
        for each row execute function pgtrail.tg__refuse_change()`,
    ],
  },
  policies: {
    label: "row level security",
    statements: (table) => [
      `alter table ${table} enable row level security`,
      `create policy insert_service on ${table} for insert to service_role with check (true)`,
    ],
  },
};

/** Finds what each part of a trail costs an INSERT of one row. */
export async function parts(server: BenchServer, short: boolean): Promise<Report> {
  const rounds = short ? 3 : 15;
  const database = await server.createDatabase("bench_parts");
  try {
    const { superuser } = database;
    await superuser.query(
      "select pgtrail.ensure_partitions('public.audit_log', now() - interval '60 months', now())",
    );
    const client = await database.connect({ role: "service_role" });
    await client.query("set synchronous_commit = off");
    const values = insertValues(1);
    const slice = (table: string) => () =>
      drive([client], 300, async () => {
        await client.query({ name: table, text: insertStatement(table, 1), values: values() });
        return 1;
      });

    const alternatives: Record<string, ReturnType<typeof slice>> = {};
    for (const [name, { statements }] of Object.entries(PARTS)) {
      await createPlainTable(superuser, name);
      for (const statement of statements(`bench.${name}`)) await superuser.query(statement);
      alternatives[name] = slice(`bench.${name}`);
    }
    alternatives.trail = slice("public.audit_log");
    const slices = await interleave(rounds, alternatives);

    const cpu = (name: string) => (slices[name] ?? []).map((each) => each.cpuPerRow ?? Number.NaN);
    return {
      title: "what each part of a trail costs an insert",
      setup:
        "A plain table against copies with one part of a trail each, and audit_log with 60 months of partitions and all " +
        "parts together. One client, one prepared row a transaction, `synchronous_commit = off`, tables empty at first; " +
        `processor time of the backend, medians of ${rounds} rounds of 0.3 s each in turn.`,
      tables: [
        {
          title: "One row a transaction",
          columns: ["table", "CPU us/row", "against plain"],
          rows: Object.keys(alternatives).map((name) => [
            PARTS[name] ? PARTS[name].label : "audit_log: all parts and partitions",
            median(cpu(name)).toFixed(1),
            median(ratios(cpu(name), cpu("plain"))).toFixed(2),
          ]),
        },
      ],
      raw: slices,
    };
  } finally {
    await database.drop();
  }
}
