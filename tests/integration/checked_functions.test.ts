import { beforeAll, describe, expect, inject, test } from "vitest";
import { useDatabase, withClient } from "../harness/index.js";

const database = useDatabase();

const available = await withClient(inject("server").url, async (client) => {
  const { rowCount } = await client.query(
    "select from pg_available_extensions where name = 'plpgsql_check'",
  );
  return rowCount === 1;
});

/** Every plpgsql function of pgtrail, a trigger function once for each table that fires it. */
const findings = `
  select function.oid::regprocedure || coalesce(' on ' || fired.relation::regclass, '')
         || coalesce(' line ' || finding.lineno, '')
         || ': ' || finding.level || ': ' || finding.message
         || coalesce(' (' || finding.detail || ')', '') as finding
  from pg_proc as function
  join pg_language as language on language.oid = function.prolang and language.lanname = 'plpgsql'
  left join (select distinct tgfoid, tgrelid from pg_trigger where not tgisinternal)
      as fired (function, relation) on fired.function = function.oid
  cross join lateral extensions.plpgsql_check_function_tb(
      function.oid, coalesce(fired.relation, 0), fatal_errors => false, all_warnings => true,
      oldtable => case when function.proname ~ '__capture$' then 'old_rows' end,
      newtable => case when function.proname ~ '__capture$' then 'new_rows' end) as finding
  where function.proowner in (select oid from pg_roles where rolname in ('pgtrail_owner', 'pgtrail_purger'))
  order by 1`;

/** What is no defect, and why. */
const accepted: RegExp[] = [
  // Read whatever table is a trail: the checker cannot know the result of their dynamic queries.
  /^pgtrail\.(_encoded_entries|archive_entries|summary)\(.*: warning extra: OUT variable "\w+" is maybe unmodified/,
  // The text comes from _entry_expression, which quotes every name and value that it puts in.
  /^pgtrail\._entry_bytes\(.*: security: text type variable is not sanitized/,
  // The conditions are put together by format() with %I and %L.
  /^pgtrail\.page\(.*: security: text type variable is not sanitized/,
  // The condition is put together by format() with %I, format_type() and _key_expression, which quote names.
  /^pgtrail\.row_at\(.*: security: text type variable is not sanitized/,
  // pg_cron may be there or not, and what its table would give is then not known.
  /^pgtrail\.(_job_health|schedule_jobs)\(.*error: (relation "cron\.job"|schema "cron") does not exist/,
  /^pgtrail\._job_health\(.*(record "v_jobs" is not assigned yet|unused variable "v_jobs")/,
  // Their dynamic queries write.
  /^pgtrail\.(_delete_entries|schedule_jobs)\(.*: performance: routine is marked as VOLATILE/,
  // The expression is SQL on purpose: only the owner sets it, with set_summary().
  /^pgtrail\._drop_failing_summaries\(.*: security: text type variable is not sanitized/,
];

async function check(): Promise<string[]> {
  const { rows } = await database.superuser.query<{ finding: string }>(findings);
  return rows
    .map(({ finding }) => finding)
    .filter((finding) => !accepted.some((pattern) => pattern.test(finding)));
}

describe.runIf(available)(
  `plpgsql_check${available ? "" : " (not run: this server does not have it)"}`,
  () => {
    beforeAll(async () => {
      await database.superuser.query("create extension plpgsql_check schema extensions");
    });

    test("has nothing to say about any function", async () => {
      expect(await check()).toEqual([]);
    });

    test("speaks up when there is something", async () => {
      await database.superuser.query(
        `create function pgtrail.broken(a text) returns void language plpgsql as
         $$ begin perform missing; execute 'select ' || a; end $$;
         alter function pgtrail.broken(text) owner to pgtrail_owner`,
      );
      const findings = (await check()).join("\n");
      await database.superuser.query("drop function pgtrail.broken(text)");
      expect(findings).toMatch(/^pgtrail.broken\(text\) line 1: error: column "missing"/m);
      expect(findings).toMatch(/^pgtrail.broken\(text\) line 1: security: /m);
    });
  },
);
