import { isObject } from "../verify/json.js";
import { isUuid } from "../writer/uuid.js";

/** A list of UUIDs, or null. */
export function isUuidsOrNull(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.every(isUuid));
}

/** A text, or null. */
export function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

/** An object of JSON, or null. */
export function isDocumentOrNull(value: unknown): boolean {
  return value === null || isObject(value);
}
