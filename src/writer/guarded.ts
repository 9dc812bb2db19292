/** Calls what belongs to the application, whose errors are not ours: there is nobody to tell. */
export function guarded(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // See above.
  }
}
