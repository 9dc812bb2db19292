/**
 * Keeps the documentation true: its examples run, its commands and links exist, and its reference
 * pages are generated from a migrated database.
 *
 * Examples: every ```sql block of a file runs in order on one database, each block in a session of
 * its own, each statement in a transaction of its own, as in psql. Comment lines directly below a
 * statement are what psql prints for it (errors with \set VERBOSITY verbose, without LOCATION);
 * widths of columns do not count, and … stands for anything. A statement may fail only as shown.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { lineAt, statements, tokenise } from "../../scripts/lib/tokens.js";
import { useDatabase, withClient } from "../harness/index.js";

/** The files whose ```sql blocks are run. */
const exampleFiles = [
  "README.md",
  "docs/quickstart.md",
  "docs/trails.md",
  "docs/own-trail.md",
  "docs/operations.md",
  "docs/retention.md",
  "docs/capture.md",
];

const pages = [
  ...readdirSync(projectRoot).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(projectRoot, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  "infra/cloudwatch/README.md",
].sort();

function read(page: string): string {
  return readFileSync(join(projectRoot, page), "utf8");
}

/** A fenced block of a page. */
interface Block {
  language: string;
  text: string;
  /** Line of its first line in the page, from 1. */
  line: number;
}

function blocksOf(page: string): Block[] {
  const text = read(page);
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    text: match[2] ?? "",
    line: lineAt(text, match.index) + 1,
  }));
}

describe.each(exampleFiles)("the examples of %s", (page) => {
  const database = useDatabase(undefined, { profiled: false });
  const blocks = blocksOf(page).filter(({ language }) => language === "sql");

  test("are there", () => {
    expect(blocks).not.toEqual([]);
  });

  test.each(blocks)("line $line", async ({ text, line }) => {
    await withClient(database.url(), async (client) => {
      for (const { sql, offset, output } of examplesIn(text)) {
        const printed = await run(client, sql);
        if (output.length === 0 && !isError(printed)) continue;
        const place = `${page}:${line + lineAt(text, offset) - 1}`;
        expect(printed, place).toEqual(
          output.map((shown, i) => (matches(shown, printed[i]) ? printed[i] : shown)),
        );
      }
    });
  });
});

/** A statement of a block, and the output that the page shows below it. */
interface Example {
  sql: string;
  offset: number;
  output: string[];
}

function examplesIn(text: string): Example[] {
  return statements(tokenise(text)).map((tokens) => {
    const [first, last] = [tokens[0], tokens.at(-1)];
    if (!first || !last) throw new Error("a statement has tokens");
    const end = last.offset + last.text.length;
    const [, comments = ""] = /^;[^\n]*\n((?:--[^\n]*\n)*)/.exec(text.slice(end)) ?? [];
    return {
      sql: text.slice(first.offset, end),
      offset: first.offset,
      output: comments
        .split("\n")
        .slice(0, -1)
        .map((line) => comparable(line.slice(2))),
    };
  });
}

/** Runs a statement and gives what psql prints for it: its rows, or its error. */
async function run(client: pg.Client, sql: string): Promise<string[]> {
  try {
    const { fields, rows } = await client.query<(string | null)[]>({
      text: sql,
      rowMode: "array",
      types: { getTypeParser: () => (value: string) => value },
    });
    if (fields.length === 0) return [];
    const line = (cells: readonly (string | null)[]) =>
      comparable(cells.map((cell) => cell ?? "").join(" | "));
    return [
      line(fields.map(({ name }) => name)),
      "---",
      ...rows.map(line),
      rows.length === 1 ? "(1 row)" : `(${rows.length} rows)`,
    ];
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const { code, message, detail, hint } = error;
    return [
      `ERROR: ${code}: ${message}`,
      ...(detail ? [`DETAIL: ${detail}`] : []),
      ...(hint ? [`HINT: ${hint}`] : []),
    ];
  }
}

function isError(printed: readonly string[]): boolean {
  return printed[0]?.startsWith("ERROR: ") ?? false;
}

/** A line of output without what fits columns to their widths. */
function comparable(line: string): string {
  return /^[ +-]*$/.test(line) ? "---" : line.replace(/\s+/g, " ").trim();
}

/** Whether a line is what the page shows, where … stands for anything. */
function matches(shown: string, printed = ""): boolean {
  const parts = shown.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(printed);
}

describe("the commands of every page", () => {
  const scripts = JSON.parse(read("package.json")).scripts as Record<string, string>;

  /** Every command that a page names, with the options that it is given anywhere. */
  const commands = new Map<string, string[]>();
  for (const page of pages) {
    // In a block a command ends with its line or a comment, in running text with its backtick.
    const pattern = /\b(npx pgtrail [a-z-]+|npm run [a-z:]+|npm (?:start|test)\b)([^`#\n]*)/g;
    for (const [, command = "", rest = ""] of read(page).matchAll(pattern)) {
      const options = rest.match(/(?<= )--[a-z-]+/g) ?? [];
      commands.set(command, [...(commands.get(command) ?? []), ...options]);
    }
  }

  async function helpOf(...argv: string[]): Promise<string> {
    const args = [...argv, "--help"];
    return (await promisify(execFile)(process.execPath, args, { cwd: projectRoot })).stdout;
  }

  test.each([...commands])("%s", async (command, options) => {
    const name = command.split(" ").at(-1) ?? "";
    if (command.startsWith("npx ")) {
      const help = await helpOf("dist/cli.js", name);
      // Of a command that it does not have, it shows its own usage.
      expect(help).toContain(`Usage: pgtrail ${name} `);
      for (const option of options) expect(help).toContain(` ${option} `);
    } else {
      expect(Object.keys(scripts)).toContain(name);
      if (options.length === 0) return;
      const help = await helpOf("--import", "tsx", (scripts[name] ?? "").replace(/^tsx /, ""));
      for (const option of options) expect(help).toContain(` ${option} `);
    }
  });

  test("are found", () => {
    expect([...commands.keys()]).toContain("npx pgtrail migrate");
    expect([...commands.keys()]).toContain("npm start");
  });
});

test("TypeScript is in pages and blocks that tests/unit/docs_examples.test.ts compiles", () => {
  const pagesWith = (language: RegExp) =>
    pages.filter((page) => blocksOf(page).some((block) => language.test(block.language)));
  expect(pagesWith(/^ts$/)).toEqual(["docs/edge.md", "docs/reporters.md", "docs/writer.md"]);
  expect(pagesWith(/^(typescript|tsx|mts)$/)).toEqual([]);
});

describe("the links of every page", () => {
  /** The name by which a heading is linked to, as GitHub makes it. */
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");

  test.each(pages)("%s", (page) => {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file, fragment] = target.split("#");
      const linked = file ? join(dirname(page), file) : page;
      expect(existsSync(join(projectRoot, linked)), `${page}: ${target}`).toBe(true);
      if (!fragment) continue;
      const headings = [...read(linked).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) =>
        anchor(text),
      );
      expect(headings, `${page}: ${target}`).toContain(fragment);
    }
  });

  test("and the one that create_trail gives in words", () => {
    const source = read("sql/functions/core/create_trail.sql");
    const [, heading] = /listed under "([^"]+)" in the documentation/.exec(source) ?? [];
    expect(read("docs/own-trail.md")).toContain(`# ${heading}\n`);
  });
});

test("docs/trails.md lists the words of pgtrail.safe_error", () => {
  const source = read("sql/functions/core/safe_error.sql");
  const [, words = ""] = /## Safe errors\n(.*?)\n## /s.exec(read("docs/trails.md")) ?? [];
  for (const array of source.matchAll(/constant text\[\] := array\[(.*?)\]/gs)) {
    const wanted = [...(array[1] ?? "").matchAll(/'(\w+)'/g)].map(([, word]) => `\`${word}\``);
    expect(wanted).not.toEqual([]);
    for (const word of wanted) expect(words).toContain(word);
  }
});

describe("generated pages", () => {
  const database = useDatabase();
  const roles = ["anon", "authenticated", "service_role", "pgtrail_auditor"] as const;
  type Role = (typeof roles)[number];

  /** The roles as rows, in their order. */
  const eachRole = `unnest('{${roles.join(",")}}'::text[]) with ordinality as api (role, position)`;

  const generated =
    "Generated from a migrated database by `tests/integration/docs.test.ts`; a test keeps it equal.";

  async function rowsOf<Row extends object>(query: string): Promise<Row[]> {
    return (await database.superuser.query<Row>(query)).rows;
  }

  function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const line = (cells: readonly string[]) =>
      `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
  }

  /** A type or an expression as the sources write it. */
  function short(sql: string): string {
    return sql
      .replaceAll("timestamp with time zone", "timestamptz")
      .replaceAll("integer", "int")
      .replace(/^NULL::.*$/, "null");
  }

  /** Functions of ours: those of pgtrail_owner in the schemas that somebody may use. */
  const ourFunctions = `
    pg_proc as function
    join pg_namespace as namespace on namespace.oid = function.pronamespace
        and namespace.nspname in ('public', 'pgtrail')
        and function.proowner = 'pgtrail_owner'::regrole`;

  /** Tables and views of ours; partitions lie in a schema that nobody may use. */
  const ourRelations = `
    pg_class as relation
    join pg_namespace as namespace on namespace.oid = relation.relnamespace
        and namespace.nspname in ('public', 'pgtrail')
        and relation.relkind in ('r', 'p', 'v')
        and relation.relowner = 'pgtrail_owner'::regrole`;

  interface FunctionRow {
    schema: string;
    name: string;
    definer: boolean;
    volatility: string;
    comment: string;
    executable: Role[];
    parameters: { name: string; type: string; mode: string; default: string | null }[];
    result: string;
  }

  function functionSection(row: FunctionRow): string {
    const parameters = row.parameters.map(
      ({ name, type, default: value }) =>
        `    ${name} ${short(type)}${value === null ? "" : ` default ${short(value)}`}`,
    );
    const inputs = parameters.filter((_, i) => /[ib]/.test(row.parameters[i]?.mode ?? ""));
    const outputs = parameters.filter((_, i) => /[to]/.test(row.parameters[i]?.mode ?? ""));
    const list = (lines: string[]) => (lines.length > 0 ? `(\n${lines.join(",\n")}\n)` : "()");
    return [
      `### ${row.schema}.${row.name}`,
      "",
      "```sql",
      `${row.schema}.${row.name}${list(inputs)}`,
      `returns ${outputs.length > 0 ? `table ${list(outputs)}` : short(row.result)}`,
      "```",
      "",
      row.comment.replaceAll("\n", "\n\n"),
      "",
      `${row.volatility}, security ${row.definer ? "definer" : "invoker"}. ` +
        `Executable by ${row.executable.map((role) => `\`${role}\``).join(", ")}.`,
      "",
    ].join("\n");
  }

  interface RelationRow {
    name: string;
    comment: string;
    columns: { name: string; type: string; value: string; comment: string | null }[];
    constraints: string[];
  }

  function relationSection({ name, comment, columns, constraints }: RelationRow): string {
    return [
      `### ${name}`,
      "",
      comment,
      "",
      table(
        ["column", "type", "value", "meaning"],
        columns.map((column) => [
          `\`${column.name}\``,
          short(column.type),
          column.value,
          column.comment ?? "",
        ]),
      ),
      "",
      ...(constraints.length > 0
        ? [`Constraints: ${constraints.map((constraint) => `\`${constraint}\``).join(", ")}.`, ""]
        : []),
    ].join("\n");
  }

  test("docs/sql-api.md: what an API role may call and read", async () => {
    const functions = await rowsOf<FunctionRow>(`
      select namespace.nspname as schema,
          function.proname as name,
          function.prosecdef as definer,
          case function.provolatile when 'i' then 'Immutable' when 's' then 'Stable' else 'Volatile' end as volatility,
          obj_description(function.oid, 'pg_proc') as comment,
          executable.roles as executable,
          coalesce((
              select json_agg(json_build_object(
                  'name', parameter.name,
                  'type', format_type(parameter.type, null),
                  'mode', coalesce(parameter.mode, 'i'),
                  'default', pg_get_function_arg_default(function.oid, parameter.position::int)
              ) order by parameter.position)
              from unnest(coalesce(function.proallargtypes, function.proargtypes::oid[]), function.proargmodes,
                  function.proargnames) with ordinality as parameter (type, mode, name, position)
          ), '[]') as parameters,
          format_type(function.prorettype, null) as result
      from ${ourFunctions}
      cross join lateral (
          select array_agg(role order by position) as roles
          from ${eachRole}
          where has_function_privilege(role, function.oid, 'execute')
      ) as executable
      where executable.roles is not null
      order by namespace.nspname desc, function.proname`);

    const relations = await rowsOf<RelationRow>(`
      select namespace.nspname || '.' || relation.relname as name,
          obj_description(relation.oid, 'pg_class') as comment,
          (
              select json_agg(json_build_object(
                  'name', attribute.attname,
                  'type', format_type(attribute.atttypid, attribute.atttypmod),
                  'value', concat_ws(', ',
                      case when attribute.attnotnull then 'required' end,
                      case when attribute.attgenerated = 's' then 'generated'
                          when expression.oid is not null then 'has a default' end),
                  'comment', col_description(relation.oid, attribute.attnum)
              ) order by attribute.attnum)
              from pg_attribute as attribute
              left join pg_attrdef as expression
                  on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
              where attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped
          ) as columns,
          array(
              select con.conname::text from pg_constraint as con
              where con.conrelid = relation.oid and con.contype = 'c'
              order by con.conname
          ) as constraints
      from ${ourRelations}
      order by namespace.nspname desc, relation.relname`);

    const domains = await rowsOf<{ name: string; base: string; comment: string | null }>(`
      select format_type(type.oid, null) as name,
          format_type(type.typbasetype, type.typtypmod) as base,
          obj_description(type.oid, 'pg_type') as comment
      from pg_type as type
      where type.typtype = 'd' and type.typowner = 'pgtrail_owner'::regrole
      order by type.typname`);

    const section = (schema: string) =>
      functions.filter((row) => row.schema === schema).map(functionSection);
    const page = [
      "# SQL API",
      "",
      generated,
      "",
      "Functions and tables of `public` are the API that PostgREST exposes. Those of `pgtrail` are what policies,",
      "defaults and these functions need: call them in SQL, never expose the schema. A name that begins with an",
      "underscore is private and may change. What only the owner may call is described where it is needed:",
      "`create_trail` in [Make a trail of your own](own-trail.md), `track` in [Capture](capture.md), `ensure_partitions`",
      "in [Operations](operations.md#partitions). See also [Privileges](privileges.md) and [Errors](errors.md).",
      "",
      "## Functions of public",
      "",
      ...section("public"),
      "## Functions of pgtrail",
      "",
      ...section("pgtrail"),
      "## Tables and views",
      "",
      ...relations.map(relationSection),
      ...(domains.length > 0
        ? [
            "## Domains",
            "",
            "Types of columns that carry the limit of what they hold. Exceeding it is 23514.",
            "",
            table(
              ["domain", "of", "meaning"],
              domains.map(({ name, base, comment }) => [`\`${name}\``, base, comment ?? ""]),
            ),
            "",
          ]
        : []),
    ].join("\n");
    await expect(page).toMatchFileSnapshot("../../docs/sql-api.md");
  });

  test("docs/privileges.md: what each role may do with each object", async () => {
    interface PrivilegeRow {
      object: string;
      role: Role;
      privileges: string[];
    }

    const matrix = (what: string, rows: readonly PrivilegeRow[]) =>
      table(
        [what, ...roles],
        [...new Set(rows.map(({ object }) => object))].map((object) => [
          `\`${object}\``,
          ...roles.map((role) => {
            const ofRole = rows.filter((row) => row.object === object && row.role === role);
            return [...new Set(ofRole.flatMap(({ privileges }) => privileges))].join(", ") || "–";
          }),
        ]),
      );

    const schemas = await rowsOf<PrivilegeRow>(`
      select namespace.nspname as object, role, array(
          select privilege from unnest('{usage,create}'::text[]) with ordinality as kind (privilege, position)
          where has_schema_privilege(role, namespace.oid, privilege)
          order by position) as privileges
      from pg_namespace as namespace
      cross join ${eachRole}
      where namespace.nspname in ('public', 'pgtrail', 'pgtrail_partitions')
      order by namespace.nspname desc`);

    // A privilege on columns only shows as "insert (columns)"; maintain, which only Postgres 17 has, is left out.
    const relations = await rowsOf<PrivilegeRow>(`
      with object as (
          select relation.oid, namespace.nspname || '.' || relation.relname as name,
              namespace.nspname, relation.relname
          from ${ourRelations}
          union all
          select inhrelid, 'every partition', 'pgtrail_partitions', ''
          from pg_inherits
          join pgtrail.trail on trail.relation = inhparent
      )
      select object.name as object, role, array(
          select case when bool_or(has_table_privilege(role, object.oid, privilege)) then privilege
              else privilege || ' (columns)' end
          from unnest('{select,insert,update,delete,truncate,references,trigger}'::text[])
              with ordinality as kind (privilege, position)
          where has_table_privilege(role, object.oid, privilege)
              or privilege in ('select', 'insert', 'update', 'references')
                  and has_any_column_privilege(role, object.oid, privilege)
          group by privilege, position
          order by position) as privileges
      from object
      cross join ${eachRole}
      order by object.nspname desc, object.relname`);

    const columns = await rowsOf<{ object: string; role: Role; privilege: string; names: string }>(`
      select namespace.nspname || '.' || relation.relname as object, role, privilege,
          string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum) as names
      from ${ourRelations}
      join pg_attribute as attribute on attribute.attrelid = relation.oid and attribute.attnum > 0
      cross join ${eachRole}
      cross join unnest('{select,insert,update,references}'::text[]) as privilege
      where has_column_privilege(role, relation.oid, attribute.attnum, privilege)
          and not has_table_privilege(role, relation.oid, privilege)
      group by namespace.nspname, relation.relname, role, privilege
      order by namespace.nspname desc, relation.relname, role, privilege`);

    const functions = await rowsOf<PrivilegeRow>(`
      select format('%s.%s(%s)', namespace.nspname, function.proname, replace(replace(
              oidvectortypes(function.proargtypes), 'timestamp with time zone', 'timestamptz'), 'integer', 'int')) as object,
          role,
          array(select 'execute' where has_function_privilege(role, function.oid, 'execute')) as privileges
      from ${ourFunctions}
      cross join ${eachRole}
      order by namespace.nspname desc, function.proname`);

    const page = [
      "# Privileges",
      "",
      generated,
      "",
      "What the role may do by itself or as part of `public`; – is nothing. Row level security then decides which rows",
      "it is done with. The owner of every object is `pgtrail_owner`; what even the owner is refused is in",
      "[refusals.md](refusals.md).",
      "",
      "## Schemas",
      "",
      matrix("schema", schemas),
      "",
      "## Tables and views",
      "",
      matrix("table", relations),
      "",
      ...columns.map(
        ({ object, role, privilege, names }) =>
          `- \`${role}\` may ${privilege} these columns of \`${object}\`: ${names}.`,
      ),
      "",
      "## Functions",
      "",
      matrix("function", functions),
      "",
    ].join("\n");
    await expect(page).toMatchFileSnapshot("../../docs/privileges.md");
  });
});
