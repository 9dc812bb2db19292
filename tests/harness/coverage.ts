import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withClient } from "./template.js";

/** How often one statement of one function ran in one database. */
export interface StatementRuns {
  /** Signature of the function, such as `pgtrail.uuid7(timestamp with time zone)`. */
  function: string;
  /** Number of the statement in the function. */
  statement: number;
  /** Line of the function's body, counted from 1. */
  line: number;
  /** Kind of statement, such as `IF`. */
  kind: string;
  /** How often it was begun. */
  runs: number;
}

/** Settings of a server whose databases `collectCoverage` can read; none when nobody asked for it. */
export function profilerSettings(
  environment: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  if (!environment.PGTRAIL_SQL_COVERAGE) return {};
  return {
    // plpgsql_check wants plpgsql loaded before it.
    shared_preload_libraries: "plpgsql,plpgsql_check",
    "plpgsql_check.profiler": "on",
    track_functions: "all",
  };
}

/**
 * Statements of the functions of pgtrail and how often each ran in this database: plpgsql from the
 * profiler of plpgsql_check, a function in plain SQL as one statement.
 */
const statementRuns = `
  select format('%s.%s(%s)', function.pronamespace::regnamespace, function.proname,
                oidvectortypes(function.proargtypes)) as function,
         profile.stmtid as statement,
         profile.lineno as line,
         profile.stmtname as kind,
         profile.exec_stmts::int as runs
  from pg_proc as function
  join pg_language as language on language.oid = function.prolang
  cross join lateral (
      select stmtid, lineno, stmtname, exec_stmts
      from extensions.plpgsql_profiler_function_statements_tb(function.oid)
      where language.lanname = 'plpgsql'
      union all
      select 0, 1, 'SQL', coalesce(pg_stat_get_function_calls(function.oid), 0)
      where language.lanname = 'sql'
  ) as profile
  where function.proowner = to_regrole('pgtrail_owner')
    and function.pronamespace in (to_regnamespace('pgtrail'), to_regnamespace('public'))
    -- Made by track().
    and function.proname !~ '__capture$'
  order by 1, 2`;

/**
 * Writes down which statements ran in a database. The server must preload plpgsql_check with its
 * profiler on, and count function calls (`track_functions = all`).
 *
 * @param url administrator on that database; sessions that are still connected may go uncounted
 * @param directory where `<database>.json` is written, an array of `StatementRuns`
 */
export async function collectCoverage(url: string, directory: string): Promise<void> {
  const { rows } = await withClient(url, async (client) => {
    await client.query("create extension if not exists plpgsql_check schema extensions");
    return client.query<StatementRuns>(statementRuns);
  });
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${new URL(url).pathname.slice(1)}.json`), JSON.stringify(rows));
}
