import type pg from "pg";
import { AUDIT_LOG, DRAWN_IN_SQL, draw, ORGANISATIONS, type Shape } from "./shapes.js";

/** An INSERT of that many rows, one parameter a value. */
export function insertStatement(table: string, rows: number, shape = AUDIT_LOG): string {
  const columns = Object.keys(shape.columns);
  const tuples = Array.from({ length: rows }, (_, row) => {
    const parameters = columns.map((_, column) => `$${row * columns.length + column + 1}`);
    return `(${parameters.join(", ")})`;
  });
  return `insert into ${table} (${columns.join(", ")}) values ${tuples.join(", ")}`;
}

/** An INSERT of any number of rows in one JSON parameter, which is how PostgREST sends them. */
export function insertJsonStatement(table: string, shape = AUDIT_LOG): string {
  const names = Object.keys(shape.columns).join(", ");
  const columns = Object.entries(shape.columns).map(([name, { type }]) => `${name} ${type}`);
  return (
    `insert into ${table} (${names}) select ${names} ` +
    `from json_to_recordset($1) as _ (${columns.join(", ")})`
  );
}

/** Endless values for `insertStatement`, made beforehand: making them is not what is measured. */
export function insertValues(rows: number, shape = AUDIT_LOG): () => unknown[] {
  const types = Object.values(shape.columns).map(({ type }) => type);
  return endless(shape, rows, (batch) =>
    batch.flatMap((row) =>
      // The client would send an array as one of Postgres.
      Object.values(row).map((value, column) =>
        types[column] === "jsonb" ? JSON.stringify(value) : value,
      ),
    ),
  );
}

/** Endless values for `insertJsonStatement`. */
export function insertJsonValues(rows: number, shape = AUDIT_LOG): () => unknown[] {
  return endless(shape, rows, (batch) => [JSON.stringify(batch)]);
}

function endless<T>(
  shape: Shape,
  rows: number,
  pack: (batch: Record<string, unknown>[]) => T,
): () => T {
  const makeRow = () => {
    const drawn = draw();
    return Object.fromEntries(
      Object.entries(shape.columns).map(([name, { value }]) => [name, value(drawn)]),
    );
  };
  const batches = Array.from({ length: Math.ceil(10_000 / rows) }, () =>
    pack(Array.from({ length: rows }, makeRow)),
  );
  let next = 0;
  return () => batches[next++ % batches.length] as T;
}

/**
 * Fills a trail with entries spread evenly over the last months, after making the partitions for
 * them.
 *
 * @param owner a connection as pgtrail_owner
 * @param large part of the entries that belongs to organisation 1; the others share the rest
 */
export async function loadEntries(
  owner: pg.Client,
  {
    entries,
    months,
    large,
    organisations = ORGANISATIONS,
  }: { entries: number; months: number; large: number; organisations?: number },
  { trail, columns }: Shape = AUDIT_LOG,
): Promise<void> {
  const past = `now() - make_interval(months => ${months})`;
  await owner.query(`select pgtrail.ensure_partitions('public.${trail}', ${past}, now())`);
  await owner.query("select setseed(0.5)");
  await owner.query(
    `insert into public.${trail} (id, ${Object.keys(columns).join(", ")})
    select
        pgtrail.uuid7(${past} + (now() - (${past})) * (n / $1::float8)),
        ${Object.values(columns)
          .map(({ sql }) => sql)
          .join(",\n        ")}
    from (
        select
            n,
            case when random() < $2 then 1 else 2 + floor(random() * ${organisations - 1})::int end as organisation,
            ${DRAWN_IN_SQL}
        from generate_series(1, $1) as n
    ) as drawn`,
    [entries, large],
  );
}

/** Does the work, a load, while public.<trail> has no index, which is faster for many entries. */
export async function withoutIndexes(
  owner: pg.Client,
  { trail }: Shape,
  work: () => Promise<void>,
): Promise<void> {
  const { rows: indexes } = await owner.query(
    `select
        indexrelid::regclass as name,
        conname,
        case
            when conname is null then replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
            else format('alter table %s add constraint %I %s', indrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
        end as definition
    from pg_index
    left join pg_constraint on conindid = indexrelid and conrelid = indrelid
    where indrelid = $1::regclass`,
    [`public.${trail}`],
  );
  for (const { name, conname } of indexes) {
    await owner.query(
      conname === null
        ? `drop index ${name}`
        : `alter table public.${trail} drop constraint ${conname}`,
    );
  }
  await work();
  for (const { definition } of indexes) await owner.query(definition);
}

/**
 * Makes bench.<name>, a table with the columns, defaults and indexes of a trail and nothing else of
 * it: not partitioned, a random key, base types in place of domains, no checks, no guards, no row
 * level security. service_role may insert.
 */
export async function createPlainTable(
  superuser: pg.Client,
  name: string,
  { trail }: Shape = AUDIT_LOG,
): Promise<void> {
  const { rows: registered } = await superuser.query(
    "select time_column from pgtrail.trail where trail_name = $1",
    [trail],
  );
  await superuser.query(`
    create schema if not exists bench;
    grant usage on schema bench to service_role;
    create table bench.${name} (like public.${trail} including defaults);
    alter table bench.${name}
        add primary key (id),
        alter id set default gen_random_uuid(),
        alter ${registered[0].time_column} set default clock_timestamp();
    grant select, insert on bench.${name} to service_role;`);

  const { rows: domains } = await superuser.query(`
    select
        quote_ident(attname) as column_name,
        format_type(typbasetype, typtypmod) as base_type
    from pg_attribute
    join pg_type on pg_type.oid = atttypid and typtype = 'd'
    where attrelid = 'bench.${name}'::regclass and attnum > 0`);
  for (const { column_name, base_type } of domains) {
    // A default would keep the domain. Writers send these columns.
    await superuser.query(
      `alter table bench.${name} alter ${column_name} drop default, alter ${column_name} type ${base_type}`,
    );
  }

  const { rows: indexes } = await superuser.query(
    `select pg_get_indexdef(indexrelid) as definition
    from pg_index
    where indrelid = $1::regclass and not indisprimary`,
    [`public.${trail}`],
  );
  for (const { definition } of indexes) {
    const found = /^CREATE INDEX \S+ ON ONLY \S+ (.+)$/.exec(definition);
    if (!found) throw new Error(`cannot copy this index: ${definition}`);
    await superuser.query(`create index on bench.${name} ${found[1]}`);
  }
}

/** Copies a trail into its plain table, in the order of time, as such a table fills in life. */
export async function copyToPlain(
  superuser: pg.Client,
  name: string,
  { trail }: Shape = AUDIT_LOG,
): Promise<void> {
  const { rows } = await superuser.query(
    `select string_agg(attname, ', ' order by attnum) as names from pg_attribute
     where attrelid = 'bench.${name}'::regclass and attnum > 0 and attname <> 'id'`,
  );
  await superuser.query(
    `insert into bench.${name} (${rows[0].names}) select ${rows[0].names} from public.${trail} order by id`,
  );
}
