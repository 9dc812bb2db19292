/**
 * The map of the database: what there is, in the order in which a person wants to meet it, without
 * the bodies of functions. It is read from a migrated database; what the parts are for is in the
 * essay sql/README.md, which also says in which order the rooms of sql/functions come.
 */
import { basename, dirname } from "node:path";
import type { Client } from "pg";
import { UserError } from "../../src/errors/user_error.js";
import type { Source } from "./sources.js";
import { tokenise } from "./tokens.js";

/** An entry of the map: what is said about one object. */
export interface MapEntry {
  /** schemas, types, tables, views, or the room of a function, such as functions/core/sealing. */
  readonly section: string;
  readonly text: string;
}

/** An object as the queries below give it. */
interface MapRow {
  section: string;
  name: string;
  /** What it is, on one line: of a function its signature, who it runs as and who may call it. */
  text: string;
  comment: string | null;
  columns?: { name: string; type: string; rest: string; comment: string | null }[];
  /** What else belongs to a table: constraints and indexes; guards and privileges; policies. */
  details?: (string | null)[];
}

const WIDTH = 120;

const SIMPLE = `
  select 'schemas' as section, nspname::text as name, obj_description(namespace.oid, 'pg_namespace') as comment,
    'schema ' || nspname || coalesce((
      select ' usage to ' || string_agg(item.grantee::regrole::text, ', ' order by item.grantee::regrole::text)
      from aclexplode(nspacl) as item where item.privilege_type = 'USAGE' and item.grantee <> nspowner), '') as text
  from pg_namespace as namespace where nspname in ('pgtrail', 'pgtrail_partitions')
  union all
  select 'types', oid::regtype::text, obj_description(oid, 'pg_type'), case typtype
    when 'd' then format('domain %s as %s ', oid::regtype, format_type(typbasetype, typtypmod)) || (
      select string_agg(pg_get_constraintdef(con.oid, true), ' ' order by conname)
      from pg_constraint as con where contypid = type.oid)
    when 'e' then format('type %s as enum (%s)', oid::regtype, (
      select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = type.oid))
    else format('type %s as (%s)', oid::regtype, (
      select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
      from pg_attribute where attrelid = typrelid)) end
  from pg_type as type
  where typnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace) and typowner = 'pgtrail_owner'::regrole
    and (typtype in ('d', 'e') or typtype = 'c' and exists (select from pg_class where oid = typrelid and relkind = 'c'))`;

const RELATIONS = `
  select case relkind when 'v' then 'views' else 'tables' end as section, oid::regclass::text as name,
    obj_description(oid, 'pg_class') as comment,
    case relkind when 'v' then format('view %s as %s', oid::regclass, pg_get_viewdef(oid, true))
      else 'table ' || oid::regclass || coalesce(' partition by ' || pg_get_partkeydef(oid), '') end as text,
    (select json_agg(json_build_object('name', attname, 'type', format_type(atttypid, atttypmod), 'rest', concat_ws(' ',
          case when attnotnull then 'not null' end,
          case when attidentity <> '' then 'generated always as identity' end,
          case when attgenerated <> '' then 'generated always as (' || expression || ')' else 'default ' || expression end),
        'comment', col_description(attrelid, attnum)) order by attnum)
      from pg_attribute
      left join lateral (select pg_get_expr(adbin, adrelid, true) from pg_attrdef
        where adrelid = attrelid and adnum = attnum) as found (expression) on true
      where attrelid = class.oid and attnum > 0 and not attisdropped and class.relkind <> 'v') as columns,
    array[
      (select string_agg(case contype
            when 'c' then regexp_replace(pg_get_constraintdef(oid, true), '^CHECK', 'check ' || conname)
            else pg_get_constraintdef(oid, true) end, '; ' order by position(contype::text in 'pufxc'), conname)
        from pg_constraint where conrelid = class.oid and contype in ('p', 'u', 'f', 'x', 'c')),
      (select string_agg(regexp_replace(pg_get_indexdef(indexrelid, 0, true), '^CREATE (.*) ON .*? USING btree', '\\1'),
          '; ' order by indexrelid::regclass::text)
        from pg_index where indrelid = class.oid and not exists (select from pg_constraint where conindid = indexrelid)),
      concat_ws('; ',
        (select string_agg(distinct case
              when tgname like 'pgtrail_capture_%' then 'captured by pgtrail.track()'
              when tgname like 'refuse_change_of_%' then 'guarded by pgtrail.tg__refuse_change()'
              else regexp_replace(pg_get_triggerdef(oid, true), '^CREATE ', '') end, '; ')
          from pg_trigger where tgrelid = class.oid and not tgisinternal),
        case when relrowsecurity then 'row level security' end,
        (select 'grant ' || string_agg(text, '; ' order by text) from (
          select privilege || ' to ' || string_agg(role::text, ', ' order by role::text) from (
            select lower(privilege_type), grantee::regrole from aclexplode(relacl) where grantee <> relowner
            union all
            select format('%s (%s)', lower(privilege_type), string_agg(attname, ', ' order by attnum)), grantee::regrole
            from pg_attribute, aclexplode(attacl) where attrelid = class.oid group by privilege_type, grantee
          ) as own (privilege, role) group by privilege) as granted (text)))
    ] || array(
      select format('policy %I for %s to %s', polname,
          case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
          (select string_agg(role::regrole::text, ', ' order by role::regrole::text) from unnest(polroles) as role))
        || coalesce(' using (' || pg_get_expr(polqual, polrelid, true) || ')', '')
        || coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid, true) || ')', '')
      from pg_policy where polrelid = class.oid order by polname) as details
  from pg_class as class
  where relnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace) and relkind in ('r', 'p', 'v')
    and relowner = 'pgtrail_owner'::regrole`;

const FUNCTIONS = `
  select format('%s.%s', pronamespace::regnamespace, proname) as name, obj_description(oid, 'pg_proc') as comment,
    concat_ws('; ',
      format('%s.%s(%s) returns %s', pronamespace::regnamespace, proname, pg_get_function_arguments(oid), pg_get_function_result(oid)),
      case when prosecdef then 'security definer' || coalesce(' as ' || nullif(proowner::regrole::text, 'pgtrail_owner'), '') end,
      (select 'for ' || string_agg(grantee::regrole::text, ', ' order by grantee::regrole::text)
        from aclexplode(proacl) where grantee <> proowner and proname not like '\\_%')) as text
  from pg_proc
  where pronamespace in ('public'::regnamespace, 'pgtrail'::regnamespace)
    and proowner in ('pgtrail_owner'::regrole, 'pgtrail_purger'::regrole)
  order by proname like '\\_%', name, text`;

/** Reads the map of a migrated database. A function is in the room in which its source lies. */
export async function readMap(client: Client, sources: readonly Source[]): Promise<MapEntry[]> {
  // So that every name but those of Postgres is printed with its schema.
  await client.query("set search_path = pg_catalog");
  const { rows: simple } = await client.query<MapRow>(SIMPLE);
  const { rows: relations } = await client.query<MapRow>(RELATIONS);
  const { rows: functions } = await client.query<MapRow>(FUNCTIONS);

  // In the order of their sources.
  const all = sources.map(({ text }) => text).join("");
  const place = ({ name }: MapRow) => all.search(new RegExp(`create .*\\b${name}\\b`));
  const objects = [...simple, ...relations].sort((a, b) => place(a) - place(b));

  // What a call makes for a table has no source: trigger functions of tracked tables.
  const rooms = new Map(
    sources
      .filter(({ path }) => path.startsWith("sql/functions/"))
      .map(({ path }) => [basename(path, ".sql"), dirname(path).slice("sql/".length)]),
  );
  return [
    ...objects.map((row) => ({ section: row.section, text: objectText(row) })),
    ...functions.flatMap((row) => {
      const section = rooms.get(row.name.split(".").at(-1) ?? "");
      return section === undefined ? [] : [{ section, text: functionText(row) }];
    }),
  ];
}

function objectText({ text, comment, columns, details }: MapRow): string {
  if (details === undefined) return `${short(text)}${comment === null ? "" : `  -- ${comment}`}`;
  const own = details.filter((line) => line !== null).filter((line) => line !== "");
  return [
    ...remark(comment, ""),
    ...wrap(short(text)),
    ...columnLines(columns ?? []),
    ...own.flatMap((line) => wrap(short(line), "    ")),
  ].join("\n");
}

/** Where the comments of columns begin, unless what stands before them is longer. */
const COMMENTS_AT = 52;

/** One line a column, its comment behind it. */
function columnLines(columns: NonNullable<MapRow["columns"]>): string[] {
  const cells = columns.map((column) => ({ ...column, type: short(column.type) }));
  const widest = (of: "name" | "type") => Math.max(...cells.map((cell) => cell[of].length));
  return cells.map(({ name, type, rest, comment }) => {
    const start = `    ${name.padEnd(widest("name"))}  ${type.padEnd(widest("type"))}`;
    const line = `${start}  ${short(rest)}`.trimEnd();
    return comment === null ? line : `${`${line}  `.padEnd(COMMENTS_AT)}-- ${comment}`;
  });
}

/** Of a private function a reader wants to know that it is there, and its first sentence. */
function functionText({ name, text, comment }: MapRow): string {
  return name.includes("._")
    ? `${short(text)}  -- ${(comment ?? "").replace(/\. [\s\S]*/, ".")}`
    : [...wrap(short(text)), ...remark(comment)].join("\n");
}

/** A comment as lines; nothing where there is none. */
function remark(comment: string | null, indent = "    "): string[] {
  const lines = (comment ?? "").split("\n").filter((line) => line !== "");
  return lines.flatMap((line) => wrap(line, `${indent}-- `, `${indent}-- `));
}

/** Breaks a text at blanks. */
function wrap(text: string, start = "", next = `${start}    `): string[] {
  const lines: string[] = [];
  let line = start;
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > WIDTH && line.trim() !== start.trim()) {
      lines.push(line.trimEnd());
      line = next;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

/** SQL as the sources write it, without the casts that Postgres adds. */
function short(sql: string): string {
  return tokenise(sql.replaceAll("timestamp with time zone", "timestamptz"))
    .map(({ kind, text }) => (kind === "word" ? text.toLowerCase() : text))
    .join("")
    .replace(/\binteger\b/g, "int")
    .replace(/('(?:[^']|'')*'|\bnull)::[a-z_.][\w.]*(\[\])?/g, "$1")
    .replace(/= any \(array\[(.*?)\]\)/g, "in ($1)")
    .replace(/\( /g, "(")
    .replace(/\((\(select [\w.]+\(\)) as \w+\)\)/g, "$1)")
    .replace(/\bexecute function /g, "execute ");
}

/**
 * The map as text: sections in the order schemas, types, tables, views, rooms of functions.
 *
 * @param head what stands above all
 * @throws UserError when the essay does not name a room.
 */
export function renderMap(head: string, entries: readonly MapEntry[], essay: string): string {
  const place = (section: string) => {
    const fixed = ["schemas", "types", "tables", "views"].indexOf(section);
    if (fixed !== -1) return fixed - 4;
    const room = `\`${basename(section)}/\``;
    const found = essay.indexOf(room);
    if (found !== -1) return found;
    throw new UserError(`sql/README.md does not name the room ${room}`, {
      hint: "Say there what it is for, at its place in the order of things.",
    });
  };
  const sections = [...new Set(entries.map(({ section }) => section))];
  sections.sort((a, b) => place(a) - place(b));
  const texts = sections.map((section) => {
    const own = entries.filter((entry) => entry.section === section).map(({ text }) => text);
    // A table or view is a page of its own; of anything else the first line is the only one that is not indented.
    const body = own.join(["tables", "views"].includes(section) ? "\n\n" : "\n");
    return `${`-- ${section} `.padEnd(WIDTH, "-")}\n\n${body}`;
  });
  return `${[head, ...texts].join("\n\n")}\n`;
}
