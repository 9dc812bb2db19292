import { isPermanent, isSqlstate } from "./sqlstate.js";
import type { Failure } from "./types.js";

/** Prisma: what concerns the connection is P1…, a few of P2… are about its engine or load. */
const TRANSIENT_PRISMA = /^P(?:1\d{3}|2024|2028|2034|2037)$/;
const PRISMA = /^P[1-9]\d{3}$/;
/** PostgREST: 000 to 003 have no connection or no schema yet, 3… are tokens that expired. */
const TRANSIENT_POSTGREST = /^PGRST(?:00\d|3\d\d)$/;
/** Answers of HTTP that say the request itself is wrong, such as too large a body. */
const PERMANENT_STATUS = new Set([400, 413, 414, 422]);

/** What of an error matters here, wherever a driver or an ORM keeps it. */
interface Told {
  code: string | null;
  message: string;
  /** Name of the constraint, detail and message: what tells on which key a row collided. */
  about: string;
  name: string;
  status: number | null;
}

/**
 * Says whether an attempt that failed would succeed later. Knows the errors of node-postgres, of
 * the system, of PostgREST and supabase-js, and of Prisma; looks into `cause` and `errors`, where
 * ORMs and AggregateError keep the reason. Never throws.
 *
 * @returns `duplicate` when an entry with the id is there already
 */
export function classify(error: unknown): Failure | "duplicate" {
  let told: Told;
  try {
    told = tell(error);
  } catch {
    told = { code: null, message: "unreadable error", about: "", name: "", status: null };
  }
  const { code, message } = told;
  if (isDuplicate(told)) return "duplicate";
  return { kind: isRefusal(told) ? "permanent" : "transient", code, message };
}

function isDuplicate({ code, about }: Told): boolean {
  if (code === "P2002") return true;
  if (code !== "23505") return false;
  // The id is the only key that pgtrail makes. Another one is somebody's own and refuses the entry.
  return !/key|constraint/i.test(about) || /_pkey\b|\(id\)/.test(about);
}

function isRefusal({ code, name, status }: Told): boolean {
  // Prisma refuses what does not fit its schema without a code, and would forever.
  if (code === null)
    return name === "PrismaClientValidationError" || PERMANENT_STATUS.has(status ?? 0);
  if (PRISMA.test(code)) return !TRANSIENT_PRISMA.test(code);
  if (code.startsWith("PGRST")) return !TRANSIENT_POSTGREST.test(code);
  return isPermanent(code);
}

function tell(error: unknown, depth = 0): Told {
  if (typeof error !== "object" || error === null) {
    return { code: null, message: String(error), about: "", name: "", status: null };
  }
  const source = error as Record<string, unknown>;
  const inner = depth < 5 ? insideOf(source, depth) : undefined;
  const meta = (typeof source.meta === "object" ? source.meta : null) as { code?: unknown } | null;
  // P2010 is a raw query that failed, and its meta has the SQLSTATE. PrismaClientInitializationError
  // calls its code errorCode.
  const codes = [source.code === "P2010" ? meta?.code : null, source.code, source.errorCode];
  const code = codes.find((each) => typeof each === "string" && each !== "") as string | undefined;
  // A code on the outside may be the wrapper's own; that of the database is further in.
  if (inner && (code === undefined || (inner.code !== null && !isKnown(code)))) {
    return { ...inner, message: inner.message || text(source.message) };
  }
  const message = text(source.message) || inner?.message || text(source.name) || "unknown error";
  const { constraint, detail, details } = source;
  return {
    code: code ?? null,
    message,
    about: [constraint, detail, details, message].map(text).join(" "),
    name: text(source.name),
    status: typeof source.status === "number" ? source.status : null,
  };
}

function isKnown(code: string): boolean {
  return isSqlstate(code) || PRISMA.test(code) || code.startsWith("PGRST");
}

/** What the reason of an error says: its cause, or those of several addresses that all refused. */
function insideOf({ cause, errors }: Record<string, unknown>, depth: number): Told | undefined {
  if (Array.isArray(errors) && errors.length > 0) {
    const all = errors.map((each) => tell(each, depth + 1));
    const first = all.find(({ code }) => code !== null) ?? all[0];
    const message = [...new Set(all.map((each) => each.message))].join("; ");
    return first && { ...first, message };
  }
  return cause === undefined || cause === null ? undefined : tell(cause, depth + 1);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
