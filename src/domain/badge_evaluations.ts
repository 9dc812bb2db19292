import type pg from "pg";
import { isDocumentOrNull, isTextOrNull, isUuidsOrNull } from "../replay/shapes.js";
import type { Columns, Outcome, Row, Trail } from "../replay/trail.js";
import { isUuid, isUuid7 } from "../writer/uuid.js";
import type { EvaluationLog } from "./evaluation_log.js";

const columns: Columns<keyof EvaluationLog> = {
  id: isUuid7,
  org_id: isUuid,
  peer_mentor_id: isUuid,
  duration_ms: (value) => typeof value === "number",
  activity_id: (value) => value === null || isUuid(value),
  badges_evaluated: isUuidsOrNull,
  criteria_outcomes: isDocumentOrNull,
  badges_awarded: isUuidsOrNull,
  error_message: isTextOrNull,
};

/** `badge_evaluation_logs`, through its recording function. */
export const badgeEvaluations: Trail = {
  name: "badge_evaluation_logs",
  property: "evaluation",
  columns,
  insert,
};

const RECORDS = `jsonb_to_recordset($1) as sent (
    id uuid, org_id uuid, peer_mentor_id uuid, duration_ms numeric, activity_id uuid, badges_evaluated jsonb,
    criteria_outcomes jsonb, badges_awarded uuid[], error_message text)`;

const RECORD = `select public.record_badge_evaluation(
    p_id => sent.id, p_org_id => sent.org_id, p_peer_mentor_id => sent.peer_mentor_id,
    p_duration_ms => sent.duration_ms, p_activity_id => sent.activity_id,
    p_badges_evaluated => sent.badges_evaluated, p_criteria_outcomes => sent.criteria_outcomes,
    p_badges_awarded => sent.badges_awarded, p_error_message => sent.error_message)
  from ${RECORDS}`;

// The function says the id and not whether it was there; what it leaves out, rounds and rewords is
// compared as it stores it.
const COMPARE = `select kept.id, kept.tx_id = pg_current_xact_id() as added,
    (sent.org_id, sent.peer_mentor_id, greatest(ceil(sent.duration_ms), 1), sent.activity_id,
        coalesce(sent.badges_evaluated, '[]'), coalesce(sent.criteria_outcomes, '{}'),
        coalesce(sent.badges_awarded, '{}'), pgtrail.safe_error(sent.error_message, 'criteria'))
    is not distinct from (kept.org_id, kept.peer_mentor_id, kept.duration_ms, kept.activity_id,
        kept.badges_evaluated, kept.criteria_outcomes, kept.badges_awarded, kept.error_message) as same
  from ${RECORDS}
  join public.badge_evaluation_logs as kept on kept.id = sent.id and kept.id = any ($2::uuid[])`;

async function insert(client: pg.ClientBase, evaluations: readonly Row[]): Promise<Outcome[]> {
  const sent = JSON.stringify(evaluations);
  await client.query(RECORD, [sent]);
  const { rows } = await client.query<{ id: string; added: boolean; same: boolean }>(COMPARE, [
    sent,
    evaluations.map(({ id }) => id),
  ]);
  const kept = new Map(rows.map((row) => [row.id, row]));
  return evaluations.map(({ id }): Outcome => {
    const row = kept.get(id);
    if (!row) return { kind: "refused", reason: "it was removed just now" };
    if (row.added) return { kind: "inserted" };
    return { kind: row.same ? "alreadyThere" : "conflict" };
  });
}
