import { Command } from "commander";
import type pg from "pg";
import { EXIT_CODES } from "../errors/exit_codes.js";
import { UserError } from "../errors/user_error.js";
import { replaceFile } from "../system/files.js";
import { terminalScreen } from "../system/terminal.js";
import {
  entryValues,
  formatBundle,
  isSalt,
  microsecondsAsTime,
  type ProofBundle,
  type RenderedColumn,
} from "../verify/index.js";
import { databaseUrlOption } from "./database_url.js";
import { withLog } from "./with_log.js";

interface ProveOptions {
  databaseUrl: string;
  trail: string;
  id: string;
  out?: string;
}

/** `pgtrail prove`: an entry with its proof, for somebody who has no access to the database. */
export function proveCommand(): Command {
  return new Command("prove")
    .description("write a proof bundle: one entry and all that it takes to verify it, but the key")
    .addOption(databaseUrlOption())
    .requiredOption("--trail <name>", "the trail, such as audit_log")
    .requiredOption("--id <uuid>", "the entry")
    .option("--out <file>", "where it is written; by default to standard output")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail prove --trail audit_log --id 0199aabb-ccdd-7eee-8fff-000011112222 --out proof.json\n" +
        "\nThe bundle is JSON. It proves the entry against the newest signed checkpoint and can be" +
        "\nverified offline: pgtrail verify proof.json --key KEY. It shows all columns of the entry;" +
        '\nto withhold an erasable one, replace "value" and "salt" in it by "commitment".' +
        "\nThe database role has to be a member of pgtrail_auditor or pgtrail_owner." +
        EXIT_CODES,
    )
    .action(async ({ databaseUrl, trail, id, out }: ProveOptions) => {
      const bundle = formatBundle(
        await withLog(databaseUrl, (client) => makeBundle(client, trail, id)),
      );
      if (out === undefined) {
        process.stdout.write(bundle);
      } else {
        await replaceFile(out, bundle, { durable: true });
        terminalScreen().line(`${out} proves entry ${id} of ${trail}`);
      }
    });
}

async function makeBundle(client: pg.Client, trail: string, id: string): Promise<ProofBundle> {
  const relation = await relationOf(client, trail);
  await expectEntry(client, trail, relation, id);
  const published = await newestCheckpoint(client);
  const { index, entry } = await findLeaf(client, trail, relation, id);
  if (index >= published.size) {
    throw new UserError(`no signed checkpoint covers entry ${id} yet`, {
      hint: "Sign one and try again: pgtrail checkpoint --sign",
    });
  }
  const { rows } = await client.query("select pgtrail.tlog_proof($1::regclass, $2, $3) as proof", [
    relation,
    id,
    published.note,
  ]);
  return { proof: rows[0].proof, entry, rendering: await render(client, relation, id, entry) };
}

/** Table of a trail, quoted as SQL wants it. Raises UserError when there is none of this name. */
export async function relationOf(client: pg.Client, trail: string): Promise<string> {
  const { rows } = await client.query("select trail_name, relation::text from pgtrail.trails()");
  const found = rows.find(({ trail_name }) => trail_name === trail);
  if (found) return found.relation;
  throw new UserError(`there is no trail ${trail}`, {
    hint: `There are: ${rows.map(({ trail_name }) => trail_name).join(", ")}`,
  });
}

async function expectEntry(client: pg.Client, trail: string, relation: string, id: string) {
  const { rowCount } = await client.query(`select from ${relation} where id = $1`, [id]);
  if (!rowCount) throw new UserError(`${trail} has no entry ${id}`);
}

async function newestCheckpoint(client: pg.Client): Promise<{ size: number; note: string }> {
  const { rows } = await client.query(
    "select tree_size as size, note from pgtrail.published_checkpoints() limit 1",
  );
  if (rows[0]) return { size: Number(rows[0].size), note: rows[0].note };
  throw new UserError("no checkpoint of this log is signed yet", {
    hint: "Sign one and try again: pgtrail checkpoint --sign",
  });
}

async function findLeaf(
  client: pg.Client,
  trail: string,
  relation: string,
  id: string,
): Promise<{ index: number; entry: Buffer }> {
  try {
    const { rows } = await client.query(
      "select leaf_index as index, entry from pgtrail.inclusion_proof($1::regclass, $2)",
      [relation, id],
    );
    return { index: Number(rows[0].index), entry: rows[0].entry };
  } catch (error) {
    if ((error as pg.DatabaseError).code !== "PT404") throw error;
    throw new UserError(`entry ${id} of ${trail} is not sealed yet`, {
      hint: "Seal it (pgtrail seal), sign a checkpoint (pgtrail checkpoint --sign), and try again.",
      cause: error,
    });
  }
}

/** What pgtrail.entry_columns() says of a column of an entry. */
interface EntryColumn {
  column: string;
  is_time: boolean;
  /** The entry holds a commitment or a digest of it. */
  is_hashed: boolean;
  value: string | null;
  /** In hex. */
  salt: string | null;
}

async function render(
  client: pg.Client,
  relation: string,
  id: string,
  entry: Buffer,
): Promise<RenderedColumn[]> {
  const [kind, ...values] = entryValues(entry);
  const { rows: columns } = await client.query<EntryColumn>(
    `select column_name as column, is_time, is_hashed, value, encode(salt, 'hex') as salt
     from pgtrail.entry_columns($1::regclass, $2, $3)`,
    [relation, id, /\d+$/.exec(kind ?? "")?.[0]],
  );
  return values.map((held, i) => {
    const { column = "", is_time = false, is_hashed = false, value, salt } = columns[i] ?? {};
    if (held === null) return { column, value: null };
    if (is_time) return { column, value: microsecondsAsTime(held) ?? held };
    if (!is_hashed) return { column, value: held };
    const isOpen = value != null && salt != null && isSalt(salt);
    return { column, ...(isOpen ? { value, salt } : { commitment: held }) };
  });
}
