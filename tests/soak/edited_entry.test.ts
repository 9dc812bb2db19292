import { beforeAll, expect, test } from "vitest";
import { ids, useCluster, useDatabase } from "../harness/index.js";
import { seal, verify } from "../harness/log.js";
import { soakSeconds } from "./seconds.js";

const cluster = useCluster({ fsync: "off", max_wal_size: "8GB" });
const database = useDatabase(cluster);

const entries = Math.min(1_000_000, soakSeconds * 20_000);
const step = 20_000;

beforeAll(
  async () => {
    for (let n = 0; n < entries; n += step) {
      await database.superuser.query(
        `insert into public.audit_log (organisation_id, action, entity_type, entity_id, details)
       select $1, 'soak', 'thing', n::text, jsonb_build_object('n', n)
       from generate_series($2::int, $3::int) as n`,
        [ids.organisationA, n + 1, Math.min(n + step, entries)],
      );
    }
    expect(await seal(database.superuser)).toBe(entries);
  },
  (soakSeconds + 120) * 1000,
);

test(`one edited entry among ${entries.toLocaleString("en")} is reported as that entry and nothing else`, async () => {
  expect(await verify(database.superuser)).toEqual([]);

  const { rows } = await database.superuser.query<{ id: string }>(
    "select id from public.audit_log where entity_id = $1",
    [String(Math.floor(entries * 0.6))],
  );
  const client = await database.superuser.connect();
  try {
    await client.query("begin");
    await client.query("alter table public.audit_log disable trigger all");
    const { rowCount } = await client.query(
      "update public.audit_log set action = 'edited' where id = $1",
      [rows[0]?.id],
    );
    expect(rowCount).toBe(1);
    expect(await verify(client)).toEqual([
      {
        defect: "altered",
        trail_name: "audit_log",
        entry_id: rows[0]?.id,
        detail: expect.stringMatching(/^leaf \d+ has another hash$/),
      },
    ]);
  } finally {
    await client.query("rollback");
    client.release();
  }
});
