import type { AuditEntry, Reporter } from "../../../src/writer/types.js";

type Report = Parameters<Reporter["report"]>[0];

const entry: AuditEntry = {
  id: "019a7b2e-0000-7000-8000-000000000001",
  organisation_id: "a0000000-0000-4000-8000-000000000000",
  actor_id: "ida",
  actor_kind: "user",
  impersonator_id: null,
  action: "badge.awarded",
  entity_type: "badge",
  entity_id: "b7",
  changes: { note: "private" },
  details: null,
  ip_address: "192.0.2.1",
  user_agent: null,
  request_id: null,
  trace_id: null,
};

/** A report about an event that a refused connection kept in the buffer. */
export function report(
  failure: Partial<Report["failure"]> = {},
  rest: Partial<Report> = {},
): Report {
  return {
    entry,
    status: "buffered",
    failure: {
      kind: "transient",
      code: "ECONNREFUSED",
      message: "connect ECONNREFUSED",
      ...failure,
    },
    ...rest,
  };
}
