import type pg from "pg";
import type { ActorKind, AuditEntry } from "../writer/types.js";
import { isDocumentOrNull, isTextOrNull, isUuid, isUuid7 } from "./shapes.js";
import type { Columns, Outcome, Row, Trail } from "./trail.js";

const columns: Columns<keyof AuditEntry> = {
  id: isUuid7,
  organisation_id: isUuid,
  actor_id: isTextOrNull,
  actor_kind: isActorKind,
  impersonator_id: isTextOrNull,
  action: (value) => typeof value === "string",
  entity_type: isTextOrNull,
  entity_id: isTextOrNull,
  changes: isDocumentOrNull,
  details: isDocumentOrNull,
  ip_address: isTextOrNull,
  user_agent: isTextOrNull,
  request_id: isTextOrNull,
  trace_id: isTextOrNull,
};

const RECORDS = `jsonb_to_recordset($1) as sent (
    id uuid, organisation_id uuid, actor_id text, actor_kind text, impersonator_id text, action text,
    entity_type text, entity_id text, changes jsonb, details jsonb, ip_address inet, user_agent text,
    request_id text, trace_id text)`;

// Erased columns say nothing: the salt of the commitments to them is gone, too.
const COMPARE = `select sent.id,
    (sent.organisation_id, sent.actor_id, sent.actor_kind, sent.impersonator_id, sent.action, sent.entity_type,
        sent.entity_id, sent.request_id, sent.trace_id)
    is not distinct from (kept.organisation_id, kept.actor_id, kept.actor_kind, kept.impersonator_id, kept.action,
        kept.entity_type, kept.entity_id, kept.request_id, kept.trace_id)
    and (kept.erasure_salt is null
        or (sent.changes, sent.details, sent.ip_address, sent.user_agent)
            is not distinct from (kept.changes, kept.details, kept.ip_address, kept.user_agent)) as same
  from ${RECORDS}
  join public.audit_log as kept on kept.id = sent.id and kept.id = any ($2::uuid[])`;

/** `audit_log`. */
export const auditLog: Trail = { name: "audit_log", property: "event", columns, insert };

async function insert(client: pg.ClientBase, entries: readonly Row[]): Promise<Outcome[]> {
  const inserted = await client.query<{ id: string }>(
    `insert into public.audit_log (id, organisation_id, actor_id, actor_kind, impersonator_id, action, entity_type,
         entity_id, changes, details, ip_address, user_agent, request_id, trace_id)
     select * from ${RECORDS}
     on conflict (id) do nothing
     returning id`,
    [JSON.stringify(entries)],
  );
  const added = new Set(inserted.rows.map(({ id }) => id));
  const others = entries.filter(({ id }) => !added.has(id));
  const same = new Map<string, boolean>();
  if (others.length > 0) {
    const { rows } = await client.query<{ id: string; same: boolean }>(COMPARE, [
      JSON.stringify(others),
      others.map(({ id }) => id),
    ]);
    for (const row of rows) same.set(row.id, row.same);
  }
  return entries.map(({ id }): Outcome => {
    if (added.has(id)) return { kind: "inserted" };
    if (!same.has(id)) return { kind: "refused", reason: "it was removed just now" };
    return { kind: same.get(id) ? "alreadyThere" : "conflict" };
  });
}

function isActorKind(value: unknown): value is ActorKind {
  return ["user", "service", "system", "impersonated"].includes(value as string);
}
