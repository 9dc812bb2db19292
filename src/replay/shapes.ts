/** A UUID of any version. */
export function isUuid(value: unknown): value is string {
  return (
    typeof value === "string" &&
    /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value)
  );
}

/** A UUIDv7. */
export function isUuid7(value: unknown): value is string {
  return isUuid(value) && value[14] === "7";
}

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
  return value === null || isPlainObject(value);
}

/** An object of JSON. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
