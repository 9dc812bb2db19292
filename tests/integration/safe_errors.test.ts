import { randomUUID } from "node:crypto";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { ids, useDatabase, withClient } from "../harness/index.js";

const database = useDatabase();

/**
 * An error that the database raises by itself. Those that one connection can provoke are in
 * tests/pgtap/safe_error.
 */
interface Provoked {
  name: string;
  code: string;
  kind: string;
  provoke(one: pg.Client, other: pg.Client): Promise<unknown>;
}

const lock = (key: number) => `select pg_advisory_xact_lock(${key})`;

const provoked: Provoked[] = [
  {
    name: "a lock that is not to be had",
    code: "55P03",
    kind: "lock_timeout",
    async provoke(one, other) {
      await other.query(lock(1));
      await one.query("set local lock_timeout = '1ms'");
      await one.query(lock(1));
    },
  },
  {
    name: "a deadlock",
    code: "40P01",
    kind: "deadlock",
    async provoke(one, other) {
      await one.query(lock(1));
      await other.query(lock(2));
      // Whichever of the two the server chooses.
      const outcomes = await Promise.allSettled([one.query(lock(2)), other.query(lock(1))]);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    },
  },
  {
    name: "a statement that takes too long",
    code: "57014",
    kind: "timeout",
    async provoke(one) {
      await one.query("set local statement_timeout = '1ms'");
      await one.query("select count(*) from generate_series(1, 1000000000)");
    },
  },
  {
    name: "a session that is terminated",
    code: "57P01",
    kind: "connection_lost",
    async provoke(one, other) {
      const { rows } = await one.query<{ pid: number }>("select pg_backend_pid() as pid");
      const waiting = one.query("select count(*) from generate_series(1, 1000000000)");
      await Promise.all([waiting, other.query("select pg_terminate_backend($1)", [rows[0]?.pid])]);
    },
  },
];

async function raised({ provoke }: Provoked): Promise<pg.DatabaseError> {
  return withClient(database.url(), (one) =>
    withClient(database.url(), async (other) => {
      one.on("error", () => {});
      await Promise.all([one, other].map((client) => client.query("begin")));
      const error = await provoke(one, other).catch((reason: unknown) => reason);
      if (error instanceof pg.DatabaseError) return error;
      throw new Error("nothing was raised");
    }),
  );
}

/** Records an evaluation with that error, and gives what is stored of it. */
async function record(error: string): Promise<string | undefined> {
  return database.as("service", async (client) => {
    const { rows } = await client.query<{ id: string }>(
      "select public.record_badge_evaluation($1, $2, 1, p_error_message => $3) as id",
      [ids.organisationA, randomUUID(), error],
    );
    const stored = await client.query<{ error_message: string }>(
      "select error_message from public.badge_evaluation_logs where id = $1",
      [rows[0]?.id],
    );
    return stored.rows[0]?.error_message;
  });
}

describe.each(provoked)("$name", (each) => {
  test("is stored as its kind, and its text not at all", async () => {
    const { code, message } = await raised(each);
    expect(code).toBe(each.code);
    expect(await record(code ?? "")).toBe(`criteria.${each.kind}`);
    expect(await record(message)).toBe("criteria.unknown");
  });

  test("is refused when its text is inserted", async () => {
    const { message } = await raised(each);
    await expect(
      database.as("service", (client) =>
        client.query(
          `insert into public.badge_evaluation_logs (org_id, peer_mentor_id, duration_ms, error_message)
           values ($1, $2, 1, $3)`,
          [ids.organisationA, randomUUID(), message],
        ),
      ),
    ).rejects.toMatchObject({ code: "23514" });
  });
});
