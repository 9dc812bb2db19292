/**
 * Writes a line to standard error. Where nobody reads it any more, the error is swallowed, as
 * console.error does, and does not end the process.
 */
export function writeToStderr(line: string): void {
  process.stderr.write(`${line}\n`, (error) => {
    if (error) process.stderr.once("error", () => {});
  });
}
