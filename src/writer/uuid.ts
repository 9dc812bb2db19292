/** The shape of a UUID. */
type Uuid = `${string}-${string}-${string}-${string}-${string}`;

/** Whether a value is a UUID, in the form in which Postgres writes it; upper case will do. */
export function isUuid(value: unknown): value is Uuid {
  return (
    typeof value === "string" &&
    /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value)
  );
}

/** Whether a value is a UUID of version 7, which has a time. */
export function isUuid7(value: unknown): value is Uuid {
  return isUuid(value) && value[14] === "7";
}
