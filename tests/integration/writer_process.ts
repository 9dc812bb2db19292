/**
 * Logs events with a spool: as many as it is told, or until it is killed. Prints the id of each that
 * it was told is kept or written; with none to log, goes on until it is killed as well.
 */
import pg from "pg";
import { createAuditWriter, openSpool } from "../../src/index.js";

const [directory = "", connectionString = "", events = "0"] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 2 });
pool.on("error", () => {});
const spool = await openSpool({ directory, fsync: "never", maxFileBytes: 50_000 });
const audit = createAuditWriter({
  pool,
  spool,
  buffer: { maxEntries: 20 },
  backoff: { initialMs: 50, maxMs: 200 },
  logger: () => {},
});
for (let n = 0; n < Number(events); n += 1) {
  const { id, status } = await audit.log({
    action: "test.logged",
    entityType: "n",
    entityId: String(n),
  });
  process.stdout.write(`${id} ${status}\n`);
}
setInterval(() => {}, 1000);
