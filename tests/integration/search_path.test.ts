import { expect, test } from "vitest";
import { ids, type PersonaName, useDatabase } from "../harness/index.js";

const database = useDatabase();

/** Types that the functions use and that are no keywords, so that a temporary one could stand in. */
const types = ["uuid", "text", "jsonb", "timestamptz", "bytea", "name", "xid8", "regclass", "inet"];

/** Calls of functions that run as their owner, or that call one. */
const calls: [PersonaName, string][] = [
  ["service", "select record_audit_event($1, 'certificate.renewed')"],
  ["service", "select count(*) from get_audit_log($1)"],
  ["service", "select record_audit_event($1, 'renewed', p_occurred_at => now())"],
  ["coordinatorA", "select count(*) from get_audit_log($1)"],
  ["coordinatorA", "select count(*) from get_audit_summary($1, 'audit_log')"],
  ["coordinatorA", "select count(*) from audit_log where organisation_id = $1"],
  ["auditor", "select count(*) from pgtrail.verify() where $1 <> ''"],
  ["auditor", "select pgtrail.checkpoint() where $1 <> ''"],
];

test.each(calls)("types of the caller's session run nothing in: %s, %s", async (persona, call) => {
  await database.superuser.query("select record_audit_event($1, 'before')", [ids.organisationA]);
  await database.as(persona, async (client) => {
    const quiet = await client.query(call, [ids.organisationA]);
    await client.query("savepoint clean");
    for (const type of types) {
      await client.query(`
        create function pg_temp.refuse(pg_catalog.${type}) returns boolean language plpgsql
        as $$ begin raise exception 'ran as %', current_user; end $$`);
      await client.query(`
        create domain pg_temp.${type} as pg_catalog.${type} check (pg_temp.refuse(value))`);
    }
    // The trap is set: what does not pin its path falls into it.
    await client.query("savepoint trap");
    await expect(client.query("select '{}'::jsonb")).rejects.toThrow(/^ran as /);
    await client.query("rollback to trap");

    expect((await client.query(call, [ids.organisationA])).rowCount).toBe(quiet.rowCount);
    await client.query("rollback to clean");
  });
});
