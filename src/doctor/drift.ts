import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { ClientBase } from "pg";
import { type CatalogFact, type FoundFact, factKey, readCatalog } from "./catalog.js";
import type { Finding } from "./finding.js";

/**
 * What catalog.json holds: layer -> kind -> name -> definition. A layer has the facts that it adds
 * to those before it.
 */
export type RecordedCatalog = Record<string, Record<string, Record<string, string>>>;

/** A file of sql/functions/: what makes one function, with its privileges and comment. */
export interface FunctionSource {
  /** Path in this package, such as sql/functions/core/ids/uuid7.sql. */
  readonly path: string;
  readonly text: string;
}

/** Where the schema of a database differs from the one that this package was released with. */
export async function examineDrift(client: ClientBase): Promise<Finding[]> {
  const found = await readCatalog(client);
  return compareCatalogs(
    wantedFacts(await readRecordedCatalog(), found),
    found,
    await readFunctionSources(),
    await readTrails(client),
  );
}

/** Tables that are registered as trails, whoever made them; none where the database cannot tell. */
async function readTrails(client: ClientBase): Promise<Set<string>> {
  const able = await client.query<{ able: boolean }>(
    "select to_regprocedure('pgtrail.trails()') is not null as able",
  );
  if (!able.rows[0]?.able) return new Set();
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', namespace.nspname, class.relname) as name
     from pgtrail.trails() as own
     join pg_catalog.pg_class as class on class.oid = own.relation
     join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace`,
  );
  return new Set(rows.map((row) => row.name));
}

/** Reads catalog.json. */
export async function readRecordedCatalog(): Promise<RecordedCatalog> {
  return JSON.parse(await readFile(new URL("../../catalog.json", import.meta.url), "utf8"));
}

/** Reads the sources of all functions. */
export async function readFunctionSources(): Promise<FunctionSource[]> {
  const folder = new URL("../../sql/functions/", import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.sql$/.test(file));
  return Promise.all(
    files.map(async (file) => ({
      path: `sql/functions/${file.replaceAll("\\", "/")}`,
      text: await readFile(new URL(file, folder), "utf8"),
    })),
  );
}

/**
 * The facts that a database must have: those of the layers that were installed in it. A layer was
 * installed when anything of it is there.
 */
export function wantedFacts(
  recorded: RecordedCatalog,
  found: readonly CatalogFact[],
): CatalogFact[] {
  const names = new Set(found.map(factKey));
  return Object.values(recorded).flatMap((kinds) => {
    const facts = Object.entries(kinds).flatMap(([kind, definitions]) =>
      Object.entries(definitions).map(([name, definition]) => ({ kind, name, definition })),
    );
    return facts.some((fact) => names.has(factKey(fact))) ? facts : [];
  });
}

/**
 * Compares the facts of a database with those it should have. Trails that a team registered itself
 * are no drift; what pgtrail put on them is examined by the other checks.
 */
export function compareCatalogs(
  wanted: readonly CatalogFact[],
  found: readonly FoundFact[],
  sources: readonly FunctionSource[] = [],
  trails: ReadonlySet<string> = new Set(),
): Finding[] {
  const wantedByKey = new Map(wanted.map((fact) => [factKey(fact), fact]));
  const foundByKey = new Map(found.map((fact) => [factKey(fact), fact]));
  const shipped = new Set(wanted.filter((fact) => fact.kind === "table").map((fact) => fact.name));
  const foreign = [...trails].filter((name) => !shipped.has(name));
  const isForeign = (fact: CatalogFact) =>
    foreign.some(
      (name) =>
        fact.name === name ||
        fact.name.startsWith(`${name}.`) ||
        fact.name.includes(` table ${name} `),
    );

  const findings: Finding[] = [];
  const report = (fact: CatalogFact, level: Finding["level"], problem: string, fix: Fix) =>
    findings.push({
      check: fact.kind === "privilege" ? "privileges" : "schema drift",
      level,
      message: `${fact.kind} ${fact.name} ${problem}`,
      ...fix,
    });

  for (const fact of wanted) {
    const actual = foundByKey.get(factKey(fact));
    if (!actual) {
      report(fact, "error", "is missing", creation(fact, sources));
    } else if (actual.definition !== fact.definition) {
      report(fact, "error", "was altered", replacement(fact, actual, sources));
    }
  }
  for (const fact of found) {
    if (!wantedByKey.has(factKey(fact)) && !isForeign(fact)) {
      // More indexes, tables or functions harm nobody; more triggers, policies or privileges might.
      const harmless = [
        "index",
        "table",
        "column",
        "view",
        "function",
        "schema",
        "label",
        "type",
      ].includes(fact.kind);
      const level = harmless ? "warning" : "error";
      report(fact, level, "does not belong to pgtrail", { fix: fact.remove });
    }
  }
  return findings;
}

/** What mends a finding; `file` is the file of this package that the statement comes from. */
type Fix = Pick<Finding, "fix" | "file">;

function creation(fact: CatalogFact, sources: readonly FunctionSource[]): Fix {
  switch (fact.kind) {
    case "function":
      return functionCreation(fact.name, sources);
    // Of a whole table or view a fact is only the name: columns and query come from the migrations.
    case "table":
    case "view":
      return { fix: null };
    default:
      return { fix: fact.definition };
  }
}

function functionCreation(signature: string, sources: readonly FunctionSource[]): Fix {
  const [name = ""] = signature.split("(");
  const [, hash] = /^pgtrail\.tg_([0-9a-f]{12})__capture$/.exec(name) ?? [];
  if (hash !== undefined) {
    return {
      fix: `select pgtrail._make_capture(known) from pgtrail.tracked_table as known where left(md5(known.entity_type), 12) = '${hash}';`,
    };
  }
  const source = sources.find(
    ({ path, text }) =>
      basename(path, ".sql") === name.split(".").at(-1) && text.includes(`function ${name}(`),
  );
  return source === undefined ? { fix: null } : { fix: source.text, file: source.path };
}

function replacement(
  wanted: CatalogFact,
  actual: FoundFact,
  sources: readonly FunctionSource[],
): Fix {
  switch (wanted.kind) {
    case "function":
    case "default":
      return creation(wanted, sources);
    case "constraint":
    case "index":
    case "trigger":
    case "policy":
    case "privilege":
      return { fix: `${actual.remove} ${wanted.definition}` };
    default:
      return { fix: null };
  }
}
