import pg from "pg";
import { Parser, type Result } from "tap-parser";
import { withClient } from "./template.js";

/** What became of a pgTAP file. It is green when there is no problem. */
export interface TapReport {
  /** Assertions that ran. */
  assertions: number;
  /** Failing assertions with their diagnostics, a wrong or missing plan, an SQL error. */
  problems: string[];
}

/**
 * Runs the text of a pgTAP file on a connection of its own, stopping at the first SQL error, as
 * `pg_prove` does with psql.
 *
 * @param url whom and where to connect
 * @param sql all statements of the file; no psql commands
 */
export async function runTap(url: string, sql: string): Promise<TapReport> {
  const lines: string[] = [];
  let sqlError: string | undefined;
  await withClient(url, async (client) => {
    try {
      await eachRow(client, sql, (row) => lines.push(Object.values(row).join("|")));
    } catch (error) {
      const { code, message, where } = error as pg.DatabaseError;
      sqlError = `SQL error ${code}: ${message}${where ? `\n${where}` : ""}`;
    }
  });
  const report = parseTap(lines.join("\n"));
  if (sqlError) report.problems.unshift(sqlError);
  return report;
}

/** Hands over the rows of all statements one by one, so that those before an error are kept. */
function eachRow(client: pg.Client, sql: string, onRow: (row: object) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = client.query(new pg.Query(sql));
    query.on("row", onRow);
    query.on("error", reject);
    query.on("end", () => resolve());
  });
}

/** Reads TAP more strictly than TAP itself: a failing to-do is a failure, and so is a file without assertions. */
function parseTap(tap: string): TapReport {
  const remarks: string[] = [];
  let failed = false;
  const parser = new Parser();
  parser.on("assert", ({ ok, id, name }: Result) => {
    if (ok) return;
    failed = true;
    remarks.push(`not ok ${id} - ${name}`);
  });
  parser.on("comment", (comment: string) => remarks.push(comment.trimEnd()));
  parser.on("bailout", (reason: string) => remarks.push(`Bail out! ${reason}`));
  parser.end(`${tap}\n`);

  const { count, failures } = parser;
  for (const { tapError } of failures) if (tapError) remarks.push(tapError);
  if (count === 0) remarks.push("no assertion ran");
  return { assertions: count, problems: failed || !parser.ok || count === 0 ? remarks : [] };
}
