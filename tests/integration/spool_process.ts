/** Appends to a spool until it is killed; prints the id of each entry that it was told is spooled. */
import { v7 } from "uuid";
import { openSpool } from "../../src/writer/spool.js";
import { entryWith } from "../harness/entries.js";

const [directory = "", fsync] = process.argv.slice(2);
const spool = await openSpool({
  directory,
  fsync: fsync === "always" ? "always" : "never",
  maxFileBytes: 20_000,
});
for (;;) {
  const id = v7();
  const { status } = await spool.append(entryWith(id));
  if (status !== "spooled") throw new Error(status);
  process.stdout.write(`${id}\n`);
}
