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

const WIDTH = 120;

/** The owner of an object has every privilege; what others have is a line for each set of roles. */
const GRANTS = `
  select 'grant ' || string_agg(distinct lower(privilege_type) || coalesce(columns, ''), ', ') || ' to ' || grantees as line
  from (
    select privilege_type, columns, string_agg(grantee, ', ' order by grantee) as grantees
    from (
      select item.privilege_type, null as columns, item.grantee::regrole::text as grantee
      from aclexplode(class.relacl) as item where item.grantee <> class.relowner
      union all
      select item.privilege_type,
        ' (' || string_agg(attribute.attname, ', ' order by attribute.attnum) || ')', item.grantee::regrole::text
      from pg_attribute as attribute, aclexplode(attribute.attacl) as item
      where attribute.attrelid = class.oid
      group by item.privilege_type, item.grantee
    ) as privilege
    group by privilege_type, columns
  ) as privilege
  group by grantees
  order by line`;

const RELATIONS = `
  select case class.relkind when 'v' then 'views' else 'tables' end as section,
    format('%I.%I', class.relnamespace::regnamespace, class.relname) as name,
    obj_description(class.oid, 'pg_class') as comment,
    case class.relkind when 'v' then pg_get_viewdef(class.oid, true) end as query,
    ' partition by ' || pg_get_partkeydef(class.oid) as partitioned,
    class.relrowsecurity as "rowSecurity",
    (select coalesce(json_agg(json_build_object('name', attribute.attname,
        'type', format_type(attribute.atttypid, attribute.atttypmod), 'required', attribute.attnotnull,
        'value', case
          when attribute.attidentity <> '' then 'generated always as identity'
          when attribute.attgenerated <> '' then format('generated always as (%s)', expression.value)
          else 'default ' || expression.value
        end,
        'comment', col_description(class.oid, attribute.attnum)) order by attribute.attnum), '[]')
      from pg_attribute as attribute
      left join lateral (
        select pg_get_expr(adbin, adrelid, true) as value from pg_attrdef
        where adrelid = attribute.attrelid and adnum = attribute.attnum
      ) as expression on true
      where attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped) as columns,
    array(select pg_get_constraintdef(oid, true) from pg_constraint
      where conrelid = class.oid and contype in ('p', 'u', 'f') order by contype = 'f', contype, conname) as keys,
    array(select regexp_replace(pg_get_constraintdef(oid, true), '^CHECK', 'check ' || quote_ident(conname)) from pg_constraint
      where conrelid = class.oid and contype in ('c', 'x') order by conname) as checks,
    array(select regexp_replace(pg_get_indexdef(index.indexrelid, 0, true), '^CREATE (.*) ON .*? USING btree', '\\1')
      from pg_index as index join pg_class as own on own.oid = index.indexrelid
      where index.indrelid = class.oid
        and not exists (select from pg_constraint as con where con.conindid = index.indexrelid)
      order by own.relname) as indexes,
    array(select case when tgname like 'pgtrail_capture_%' then 'captured by pgtrail.track()'
        when tgname like 'refuse_change_of_%' then 'guarded by pgtrail.tg__refuse_change()' else
          regexp_replace(regexp_replace(pg_get_triggerdef(oid, true), '^CREATE ', ''), ' ON \\S+ ', ' ')
          || case tgenabled when 'A' then ' always' else '' end
        end as line
      from pg_trigger where tgrelid = class.oid and not tgisinternal group by line order by line) as triggers,
    array(select format('policy %I for %s to %s%s%s%s', policy.polname,
        case policy.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        (select string_agg(role::regrole::text, ', ' order by role::regrole::text) from unnest(policy.polroles) as role),
        case when not policy.polpermissive then ' restrictive' end,
        ' using (' || pg_get_expr(policy.polqual, policy.polrelid, true) || ')',
        ' with check (' || pg_get_expr(policy.polwithcheck, policy.polrelid, true) || ')')
      from pg_policy as policy where policy.polrelid = class.oid order by policy.polname) as policies,
    array(${GRANTS}) as grants
  from pg_class as class
  where class.relnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace)
    and class.relkind in ('r', 'p', 'v') and class.relowner = 'pgtrail_owner'::regrole
  order by class.relname`;

const SIMPLE = `
  select 'schemas' as section, nspname::text as name,
    format('schema %I', nspname) as text, obj_description(namespace.oid, 'pg_namespace') as comment,
    (select 'usage to ' || string_agg(item.grantee::regrole::text, ', ' order by item.grantee::regrole::text)
      from aclexplode(nspacl) as item where item.privilege_type = 'USAGE' and item.grantee <> nspowner) as detail
  from pg_namespace as namespace where nspname in ('pgtrail', 'pgtrail_partitions')
  union all
  select 'types', name, case typtype
      when 'd' then format('domain %s as %s', name, format_type(typbasetype, typtypmod))
      when 'e' then format('type %s as enum (%s)', name,
        (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = type.oid))
      else format('type %s as (%s)', name,
        (select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
          from pg_attribute where attrelid = type.typrelid))
    end,
    obj_description(type.oid, 'pg_type'),
    (select string_agg(pg_get_constraintdef(con.oid, true), ' ' order by con.conname) from pg_constraint as con where con.contypid = type.oid)
  from (select *, format('%I.%I', typnamespace::regnamespace, typname) as name from pg_type) as type
  where typnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace) and typowner = 'pgtrail_owner'::regrole
    and (typtype in ('d', 'e')
      or typtype = 'c' and exists (select from pg_class where oid = typrelid and relkind = 'c'))
  order by section, name`;

const FUNCTIONS = `
  select format('%I.%I', function.pronamespace::regnamespace, function.proname) as name,
    pg_get_function_arguments(function.oid) as arguments,
    pg_get_function_result(function.oid) as result,
    function.prosecdef as definer,
    obj_description(function.oid, 'pg_proc') as comment,
    array(select setting from unnest(function.proconfig) as setting where setting ~ '^(lock_timeout|statement_timeout|row_security)=') as settings,
    case when function.proowner <> 'pgtrail_owner'::regrole then function.proowner::regrole::text end as owner,
    array(select item.grantee::regrole::text from aclexplode(function.proacl) as item
      where item.grantee <> function.proowner order by 1) as roles
  from pg_proc as function
  where function.pronamespace in ('public'::regnamespace, 'pgtrail'::regnamespace)
    and function.proowner in ('pgtrail_owner'::regrole, 'pgtrail_purger'::regrole)
  order by function.proname like '\\_%', name, arguments`;

interface Simple {
  section: string;
  name: string;
  text: string;
  detail: string | null;
  comment: string | null;
}

interface Relation {
  section: string;
  name: string;
  comment: string | null;
  query: string | null;
  partitioned: string | null;
  rowSecurity: boolean;
  columns: Column[];
  keys: string[];
  checks: string[];
  indexes: string[];
  triggers: string[];
  policies: string[];
  grants: string[];
}

interface Column {
  name: string;
  type: string;
  required: boolean;
  value: string | null;
  comment: string | null;
}

interface Routine {
  name: string;
  arguments: string;
  result: string | null;
  definer: boolean;
  comment: string | null;
  settings: string[];
  owner: string | null;
  roles: string[];
}

/** Reads the map of a migrated database. A function is in the room in which its source lies. */
export async function readMap(client: Client, sources: readonly Source[]): Promise<MapEntry[]> {
  // So that every name but those of Postgres is printed with its schema.
  await client.query("set search_path = pg_catalog");
  const simple = await client.query<Simple>(SIMPLE);
  const relations = await client.query<Relation>(RELATIONS);
  const routines = await client.query<Routine>(FUNCTIONS);
  const entries = [
    ...simple.rows.map((row) => ({ ...row, text: simpleText(row) })),
    ...relations.rows.map((row) => ({ ...row, text: relationText(row) })),
  ];
  const all = sources.map(({ text }) => text).join("");
  const place = ({ name }: { name: string }) => all.search(new RegExp(`create .*\\b${name}\\b`));
  entries.sort((a, b) => place(a) - place(b));

  const rooms = new Map(
    sources
      .filter(({ path }) => path.startsWith("sql/functions/"))
      .map(({ path }) => [basename(path, ".sql"), dirname(path).slice("sql/".length)]),
  );
  // What a call makes for a table has no source: trigger functions of tracked tables.
  const functions = routines.rows.flatMap((row) => {
    const section = rooms.get(row.name.split(".").at(-1) ?? "");
    return section === undefined ? [] : [{ section, text: routineText(row) }];
  });
  return [...entries.map(({ section, text }) => ({ section, text })), ...functions];
}

function simpleText({ text, detail, comment }: Simple): string {
  const line = short([text, detail ?? ""].join(" ").trim());
  return comment === null ? line : `${line}  -- ${comment}`;
}

function relationText(row: Relation): string {
  const details = [
    [...row.keys, ...row.checks].join("; "),
    row.indexes.join("; "),
    ...row.triggers,
    ...row.policies,
    [...(row.rowSecurity ? ["row level security"] : []), ...row.grants].join("; "),
  ];
  return [
    ...remark(row.comment, ""),
    short(`${row.section.slice(0, -1)} ${row.name}${row.partitioned ?? ""}`),
    ...(row.query === null ? columnLines(row.columns) : wrap(short(`as ${row.query}`), "    ")),
    ...details.filter((line) => line !== "").flatMap((line) => wrap(short(line), "    ")),
  ].join("\n");
}

/** Where the comments of columns begin, unless what stands before them is longer. */
const COMMENTS_AT = 52;

/** One line a column, its comment behind it. */
function columnLines(columns: readonly Column[]): string[] {
  const cells = columns.map(({ type, ...column }) => ({ ...column, type: short(type) }));
  const widest = (of: "name" | "type") => Math.max(...cells.map((cell) => cell[of].length));
  return cells.map(({ name, type, required, value, comment }) => {
    const rest = [required ? "not null" : "", value === null ? "" : short(value)].join(" ").trim();
    const line = `    ${name.padEnd(widest("name"))}  ${type.padEnd(widest("type"))}  ${rest}`;
    return comment === null ? line.trimEnd() : `${`${line}  `.padEnd(COMMENTS_AT)}-- ${comment}`;
  });
}

/** Of a private function a reader wants to know that it is there, and its first sentence. */
function routineText(row: Routine): string {
  const isPrivate = /\._/.test(row.name);
  const comment = isPrivate ? row.comment?.replace(/\. [\s\S]*/, ".") : row.comment;
  const line = [
    short(`${row.name}(${row.arguments}) returns ${row.result}`),
    row.definer ? `security definer${row.owner === null ? "" : ` as ${row.owner}`}` : "",
    ...row.settings.map((setting) => `set ${setting}`),
    row.roles.length > 0 && !isPrivate ? `for ${row.roles.join(", ")}` : "",
  ]
    .filter((part) => part !== "")
    .join("; ");
  const whole = `${line}  -- ${comment}`;
  if (isPrivate && whole.length <= WIDTH) return whole;
  return [...wrap(line), ...remark(comment ?? null)].join("\n");
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
    // What has a line or two stands together, everything else by itself.
    const isShort = (text: string) => /^(schema|domain|type|\w+\._)/.test(text);
    const body = own.reduce(
      (before, text, index) =>
        `${before}${isShort(text) && isShort(own[index - 1] ?? "") ? "\n" : "\n\n"}${text}`,
    );
    return `${`-- ${section} `.padEnd(WIDTH, "-")}\n\n${body}`;
  });
  return `${[head, ...texts].join("\n\n")}\n`;
}
