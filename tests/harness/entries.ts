import type { AuditEntry } from "../../src/writer/types.js";

/** An entry of `audit_log`. */
export function entryWith(id: string, rest: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id,
    organisation_id: "a0000000-0000-4000-8000-000000000000",
    actor_id: "ida",
    actor_kind: "user",
    impersonator_id: null,
    action: "badge.awarded",
    entity_type: "badge",
    entity_id: "b7",
    changes: null,
    details: { note: "ein „Vermerk“ – ü" },
    ip_address: null,
    user_agent: null,
    request_id: null,
    trace_id: null,
    ...rest,
  };
}
