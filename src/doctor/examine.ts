import type { ClientBase } from "pg";
import { examineDrift } from "./drift.js";
import type { Finding } from "./finding.js";

/** Names of the checks, in the order in which they are reported; what the database adds comes behind. */
export const checks = [
  "schema drift",
  "guards",
  "row security",
  "partitions",
  "privileges",
  "membership",
  "roles",
] as const;

/**
 * Examines an installed pgtrail: the schema against the one this package was released with, then every registered
 * trail, whoever made it. Reads only. Never repairs.
 */
export async function examine(client: ClientBase): Promise<Finding[]> {
  const installed = await client.query<{ installed: boolean }>(
    "select to_regclass('pgtrail.trail') is not null as installed",
  );
  if (!installed.rows[0]?.installed) {
    return [
      {
        check: "schema drift",
        level: "error",
        message: "pgtrail is not installed in this database",
        fix: "pgtrail migrate --database-url <url>",
      },
    ];
  }
  const findings = [...(await examineDrift(client)), ...(await examineSetup(client))];
  const names = new Set<string>([...checks, ...findings.map(({ check }) => check)]);
  return [...names].flatMap((name) => findings.filter(({ check }) => check === name));
}

/** What the database says of trails, roles and memberships. Where it cannot, the drift tells what it lacks. */
async function examineSetup(client: ClientBase): Promise<Finding[]> {
  const able = await client.query<{ able: boolean }>(
    "select to_regprocedure('pgtrail.findings()') is not null as able",
  );
  if (!able.rows[0]?.able) return [];
  const { rows } = await client.query<Finding>(
    'select check_name as "check", level, message, fix from pgtrail.findings()',
  );
  return rows;
}
