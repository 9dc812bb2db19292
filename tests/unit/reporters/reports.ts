import type { Reporter } from "../../../src/writer/types.js";
import { entryWith } from "../../harness/entries.js";

type Report = Parameters<Reporter["report"]>[0];

const entry = entryWith("019a7b2e-0000-7000-8000-000000000001", {
  changes: { note: "private" },
  details: null,
  ip_address: "192.0.2.1",
});

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
