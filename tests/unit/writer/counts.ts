import type { Counts } from "../../../src/writer/types.js";

/** Counts of a writer that has done nothing. */
export function noCounts(): Counts {
  return {
    written: 0,
    buffered: 0,
    flushed: 0,
    dropped: 0,
    evicted: 0,
    linesLost: 0,
    spooled: 0,
    spoolRefused: 0,
    recovered: 0,
  };
}
