import { failureLine, jsonLine } from "./failure_line.js";
import { guarded } from "./guarded.js";
import type { Settings } from "./options.js";
import type { AuditEntry, Counts, Failure, FailureLine } from "./types.js";

/** An entry, and its JSON once that was needed. */
export interface Rendered {
  readonly entry: AuditEntry;
  json: string | null;
}

/** The entry as JSON, which is made once. */
export function jsonOf(rendered: Rendered): string {
  rendered.json ??= jsonLine(rendered.entry);
  return rendered.json;
}

/** Writes the line about an entry, without that if `payload` is false. Whether the logger took it. */
export type Tell = ReturnType<typeof createTell>;

/** Makes what writes the structured lines and tells whoever wants to know. It never throws. */
export function createTell(
  settings: Pick<Settings, "clock" | "logger" | "logPayload" | "reporter" | "onDrop">,
  counts: Counts,
) {
  const { clock, logger, logPayload, reporter, onDrop } = settings;
  return (about: Rendered, failure: Failure, status: FailureLine["status"], payload = true) => {
    const { entry } = about;
    const json = logPayload && payload ? jsonOf(about) : null;
    let isTaken = true;
    try {
      logger(failureLine(entry, { failure, status, now: clock.now(), json }));
    } catch {
      isTaken = false;
      counts.linesLost += 1;
    }
    const reported = status === "buffered" ? "buffered" : "dropped";
    if (reporter) guarded(() => reporter.report({ entry, failure, status: reported }));
    if (onDrop && status !== "buffered") guarded(() => onDrop({ entry, failure, status }));
    return isTaken;
  };
}
