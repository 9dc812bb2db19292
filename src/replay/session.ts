import pg from "pg";
import { UserError } from "../errors/user_error.js";

/** A connection, and how a replay works on it. */
export interface Session {
  client: pg.ClientBase;
  /** Acts as service_role in each transaction: a setting of the session would not survive a pooler. */
  asServiceRole: boolean;
  /** Undoes every transaction: the outcomes are what would be. */
  dryRun: boolean;
}

/**
 * A session that acts as the login, whose name the entries then carry, or as service_role where only
 * that may insert. Raises UserError when neither may.
 */
export async function openSession(client: pg.ClientBase, dryRun: boolean): Promise<Session> {
  for (const asServiceRole of [false, true]) {
    const session: Session = { client, asServiceRole, dryRun };
    if (await mayInsert(session)) return session;
  }
  throw new UserError("this login may not insert into audit_log", {
    hint: "Connect as a member of service_role or of pgtrail_owner.",
  });
}

async function mayInsert(session: Session): Promise<boolean> {
  try {
    return await transaction(session, async () => {
      const { rows } = await session.client.query<{ able: boolean }>(
        `select has_column_privilege('public.audit_log', 'id', 'insert')
           and has_column_privilege('public.audit_log', 'id', 'select')
           and has_function_privilege('public.prepare_audit_backfill(text, timestamptz)', 'execute') as able`,
      );
      return rows[0]?.able ?? false;
    });
  } catch (error) {
    // The login is no member of service_role.
    if (error instanceof pg.DatabaseError && error.code === "42501") return false;
    throw error;
  }
}

/** Does `work` in a transaction of the session. */
export async function transaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const { client, asServiceRole, dryRun } = session;
  await client.query("begin");
  try {
    if (asServiceRole) await client.query("set local role service_role");
    const result = await work();
    await client.query(dryRun ? "rollback" : "commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
