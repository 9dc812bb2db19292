/**
 * SQLSTATEs of pgtrail's own, for domain rules that no standard code fits, and what they mean. The
 * database raises them with a message, a DETAIL and a HINT; docs/errors.md has the standard ones too.
 */
export const PGTRAIL_ERRORS: Readonly<Record<string, string>> = {
  TR001: "a table does not have the shape of a trail",
  TR002: "pgtrail is already installed through another history table",
  TR003: "the log does not hold what was presented",
  TR004: "an entry cannot be erased while a legal hold covers it",
  TR005: "retention is not enabled in this copy of the database",
};
