import { v7 } from "uuid";
import { isObject } from "../verify/json.js";
import { byteLength } from "./byte_length.js";
import {
  cleanText,
  createNotes,
  cutText,
  fitDocument,
  fits,
  jsonbBytes,
  type Notes,
  toJson,
} from "./sanitise.js";
import type { ActorKind, AuditEntry, AuditEvent, Failure, Json } from "./types.js";
import { isUuid, isUuid7 } from "./uuid.js";

/** The organisation of events that belong to no tenant. */
export const PLATFORM_ORGANISATION = "00000000-0000-0000-0000-000000000000";

/** Most bytes of `changes` and of `details`, as `pgtrail.document` allows. */
const DOCUMENT_BYTES = 65_536;

/** Most bytes of the type and id of an entity, which share an index with two UUIDs. */
const INDEX_BYTES = 2600;

/** Most characters of each text, as the domains of `audit_log` allow. */
const CHARACTERS = {
  action: 200,
  entityType: 200,
  entityId: 500,
  actorId: 255,
  impersonatorId: 255,
  userAgent: 1000,
  requestId: 200,
  traceId: 200,
} as const;

/** Whether a value says who acts. */
export function isActorKind(value: unknown): value is ActorKind {
  return ["user", "service", "system", "impersonated"].includes(value as string);
}

/** Makes ids: UUIDv7 of a time in milliseconds, ascending within a millisecond. */
export function createIds(): (now: number) => string {
  let last = Number.NaN;
  let sequence = 0;
  // Asked for by the hundred, as each request for random bytes costs more than all else here.
  const bytes = new Uint8Array(16 * 256);
  let used = bytes.length;
  return (now) => {
    if (used === bytes.length) {
      crypto.getRandomValues(bytes);
      used = 0;
    }
    const random = bytes.subarray(used, used + 16);
    used += 16;
    const msecs = Math.max(0, Math.floor(now));
    // Begins in the lower half, so that there is room to count on.
    sequence = msecs === last ? sequence + 1 : Math.floor(Math.random() * 0x7fff_ffff);
    last = msecs;
    return v7({ msecs, seq: sequence, random });
  };
}

/** The entry of an event, and why the database would never take it, where that is known already. */
export interface PreparedEntry {
  entry: AuditEntry;
  failure: Failure | null;
}

/**
 * Makes the entry of an event, as the constraints of `audit_log` want it. What does not fit is
 * mended rather than refused, and each change is noted in `details.sanitised`. Beyond mending are a
 * missing action and an organisation that is no UUID: whose event it is cannot be guessed. Never
 * throws, whatever it is given.
 *
 * @param newId makes an id of now, used unless the event has its own
 */
export function prepareEntry(event: AuditEvent, newId: () => string): PreparedEntry {
  const notes = createNotes();
  const read = reader(event, notes);

  const action = text("action", read, notes);
  // An empty text is no way to say that an event is the platform's.
  const organisation = read("organisationId") === "" ? "" : text("organisationId", read, notes);
  const entityId = text("entityId", read, notes);
  const entry: AuditEntry = {
    id: idOf(read, notes, newId),
    organisation_id: organisation?.toLowerCase() ?? PLATFORM_ORGANISATION,
    ...actorOf(read, notes),
    action: action ?? "",
    entity_type: entityTypeOf(entityId, read, notes),
    entity_id: entityId,
    changes: documentOf("changes", read, notes),
    details: documentOf("details", read, notes),
    ip_address: ipAddressOf(read, notes),
    user_agent: text("userAgent", read, notes),
    request_id: text("requestId", read, notes),
    trace_id: text("traceId", read, notes),
  };
  entry.entity_id = fitIndex(entry, notes);
  if (entry.changes) entry.changes = fitDocument(entry.changes, DOCUMENT_BYTES, "changes", notes);
  entry.details = withNotes(entry.details, notes);
  return { entry, failure: failureOf(entry) };
}

function failureOf({ action, organisation_id }: AuditEntry): Failure | null {
  const refuse = (message: string): Failure => ({ kind: "permanent", code: null, message });
  if (action === "") return refuse("the event has no action");
  if (!isUuid(organisation_id)) return refuse("organisationId is no UUID");
  return null;
}

type Read = (name: keyof AuditEvent) => unknown;

/** Reads a field of whatever came as an event; one that cannot be read is noted and missing. */
function reader(event: AuditEvent, notes: Notes): Read {
  return (name) => {
    try {
      return (event as AuditEvent | null | undefined)?.[name] ?? null;
    } catch {
      notes.add(name, "unreadable");
      return null;
    }
  };
}

/** A field as text, within its limit. Null when there is none, or nothing in it. */
function text(name: keyof AuditEvent, read: Read, notes: Notes): string | null {
  const value = read(name);
  if (value === null || value === "") return null;
  const rendered = typeof value === "string" ? value : render(value, name, notes);
  const limit = (CHARACTERS as Partial<Record<keyof AuditEvent, number>>)[name] ?? 1000;
  const cut = cutText(rendered, limit);
  if (cut !== rendered) notes.add(name, `cut from ${rendered.length} to ${limit} characters`);
  const clean = cleanText(cut);
  if (clean !== cut) notes.add(name, "NUL or half a surrogate pair replaced by U+FFFD");
  return clean;
}

/** Ids are often numbers, which need no words; anything else in place of a text does. */
function render(value: unknown, name: string, notes: Notes): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  notes.add(name, `${typeof value}, rendered as text`);
  const json = toJson(value, name, notes);
  return typeof json === "string" ? json : JSON.stringify(json);
}

function idOf(read: Read, notes: Notes, newId: () => string): string {
  const given = text("id", read, notes);
  if (given === null) return newId();
  if (isUuid7(given)) return given.toLowerCase();
  notes.add("id", `replaced, as it was no UUIDv7: ${given.slice(0, 100)}`);
  return newId();
}

/** The three fields of who acts, in a combination that the constraints allow. */
function actorOf(read: Read, notes: Notes) {
  const actor = text("actorId", read, notes);
  let impersonator = text("impersonatorId", read, notes);
  const given = read("actorKind");
  const asked = isActorKind(given) ? given : null;
  if (given !== null && asked === null) notes.add("actorKind", "replaced, as it was unknown");

  if (impersonator !== null && actor === null) {
    notes.add("impersonatorId", `left out, as there was no actor: ${impersonator}`);
    impersonator = null;
  }
  const byWhatIsGiven =
    impersonator !== null ? "impersonated" : actor !== null ? "user" : "service";
  // An impersonator makes it impersonated; service and system may or may not have an actor.
  const fits =
    asked !== null &&
    (impersonator === null
      ? asked !== "impersonated" && (asked !== "user" || actor !== null)
      : asked === "impersonated");
  if (asked !== null && !fits) {
    notes.add("actorKind", `replaced, as it did not fit who acts: ${asked}`);
  }
  const kind: ActorKind = fits ? asked : byWhatIsGiven;
  return { actor_id: actor, actor_kind: kind, impersonator_id: impersonator };
}

function entityTypeOf(entityId: string | null, read: Read, notes: Notes): string | null {
  const type = text("entityType", read, notes);
  if (type !== null || entityId === null) return type;
  notes.add("entityType", "missing beside entityId");
  return "unknown";
}

/**
 * The id of the entity, cut to what an index takes beside its type. Only texts of hundreds of
 * characters outside of the basic plane are longer.
 */
function fitIndex({ entity_type, entity_id }: AuditEntry, notes: Notes): string | null {
  if (entity_id === null) return null;
  const room = INDEX_BYTES - byteLength(entity_type ?? "");
  if (byteLength(entity_id) <= room) return entity_id;
  const characters = Math.floor(room / 4);
  notes.add("entityId", `cut to ${characters} characters, as an index takes no more bytes`);
  return cutText(entity_id, characters);
}

/** Of a list, as proxies make, the first, which is the client. */
function ipAddressOf(read: Read, notes: Notes): string | null {
  const given = text("ipAddress", read, notes);
  if (given === null) return null;
  const [first = ""] = given.split(",");
  const address = first.trim();
  const valid = isAddress(address);
  if (!valid || address !== given) {
    const what = valid ? "reduced to the first address of" : "left out, as it was no address";
    notes.add("ipAddress", `${what}: ${given.slice(0, 200)}`);
  }
  return valid ? address : null;
}

/** Whether `inet` takes it: an IPv4 or IPv6 address, with or without the length of a prefix. */
function isAddress(text: string): boolean {
  const [address = "", prefix, ...more] = text.split("/");
  const isV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(address);
  if (!isV4 && !(/^[0-9a-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]`)))
    return false;
  if (prefix === undefined) return true;
  return more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (isV4 ? 32 : 128);
}

/** A field as a JSON object. Anything else is put into one, as `value`. */
function documentOf(name: "changes" | "details", read: Read, notes: Notes) {
  const given = read(name);
  if (given === null) return null;
  const json = toJson(given, name, notes);
  if (isObject(json)) return json;
  notes.add(name, "no object, put into one");
  return { value: json };
}

/** The details with the notes of what was changed, together within the limit. */
function withNotes(details: { [key: string]: Json } | null, notes: Notes) {
  if (notes.toJson() === null && (!details || fits(details, DOCUMENT_BYTES))) return details;
  // Cutting adds a note, so there has to be room for one more.
  const noted = jsonbBytes(notes.toJson()) + 400;
  const fitted = fitDocument(details ?? {}, DOCUMENT_BYTES - noted, "details", notes);
  const sanitised = notes.toJson();
  return sanitised === null ? fitted : { ...fitted, sanitised };
}
