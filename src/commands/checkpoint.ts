import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Command, InvalidArgumentError, Option } from "commander";
import type pg from "pg";
import { EXIT_CODES, VERIFICATION_FAILED } from "../errors/exit_codes.js";
import { UserError } from "../errors/user_error.js";
import { nodeAlgorithms } from "../signing/node_algorithms.js";
import {
  generateSigningKey,
  parseSigningKey,
  type Signed,
  type SigningKey,
  SigningRefused,
  signContinuation,
} from "../signing/signer.js";
import { readGiven, readIfThere, replaceFile } from "../system/files.js";
import { count, type Screen, silentScreen, terminalScreen } from "../system/terminal.js";
import { parseCheckpoint, VerificationError, verifyNote } from "../verify/index.js";
import { databaseUrlOption } from "./database_url.js";
import { collect, keyOf, verifying } from "./keys.js";
import { withLog } from "./with_log.js";

/** Where the signing key is when there is no --key. */
const KEY_VARIABLE = "PGTRAIL_SIGNING_KEY";

/** `pgtrail checkpoint`: prints the log's checkpoint, or signs and publishes it. */
export function checkpointCommand(): Command {
  const command: Command = new Command("checkpoint")
    .description("print the checkpoint of the log, or sign and publish it")
    .addOption(databaseUrlOption().makeOptionMandatory(false))
    .option("--sign", "sign it, once it is proved to continue the last one that was signed")
    .option("--key <file>", `the signing key; by default ${KEY_VARIABLE} holds it`)
    .option(
      "--to <where>",
      "where the signed checkpoint goes: a directory, a URL, or - to print it",
    )
    .option("--state <file>", "what was signed last; for a directory it is the checkpoint there")
    .option("--new-origin", "the log goes on under another origin, to be trusted as it is")
    .addOption(
      new Option("--method <name>", "how it is sent to a URL")
        .choices(["PUT", "POST"])
        .default("PUT"),
    )
    .option("--timeout <seconds>", "how long a URL may take to answer", parseSeconds, 30)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  pgtrail checkpoint --database-url postgresql://auditor@db.example.org/app\n" +
        "  pgtrail checkpoint keygen --name example.org/audit --out audit.key\n" +
        "  pgtrail checkpoint --sign --key audit.key --to /srv/audit-log\n" +
        "  pgtrail checkpoint --sign --to https://example.org/audit/checkpoint --state last-signed\n" +
        "  pgtrail checkpoint cosign cosigned --witness witness.example+0a1b2c3d+BA…\n" +
        "\nSign outside of the database, on a machine that its administrators do not rule. The first" +
        "\ncheckpoint is trusted as it is; every later one has to continue the last one, which is" +
        "\nverified here. What does not is refused: exit code 3, a line of JSON on standard error, and" +
        "\nnothing is written. To sign, the database role has to be a member of pgtrail_owner." +
        EXIT_CODES,
    )
    .action(async (options: CheckpointOptions) => {
      if (!options.databaseUrl) command.error("error: --database-url or DATABASE_URL is required");
      if (!options.sign) return print(options);
      if (!options.to) command.error("error: --sign needs --to: a directory, a URL or -");
      if (!isDirectory(options.to) && !options.state) {
        command.error("error: --to - or a URL needs --state: the file with what was signed last");
      }
      await signAndPublish({ ...options, to: options.to });
    });
  return command.addCommand(keygenCommand()).addCommand(cosignCommand());
}

interface CheckpointOptions {
  databaseUrl: string;
  sign?: true;
  key?: string;
  to?: string;
  state?: string;
  newOrigin?: true;
  method: string;
  timeout: number;
  json?: true;
}

function parseSeconds(value: string): number {
  const seconds = Number(value);
  if (seconds > 0 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError("It is a number of seconds up to 3600.");
}

async function print({ databaseUrl, json }: CheckpointOptions): Promise<void> {
  const body = await withLog(databaseUrl, fetchCheckpoint);
  process.stdout.write(json ? `${JSON.stringify({ checkpoint: body })}\n` : body);
}

async function fetchCheckpoint(client: pg.Client): Promise<string> {
  const { rows } = await client.query("select pgtrail.checkpoint() as body");
  return rows[0].body;
}

async function fetchProof(client: pg.Client, from: number, to: number): Promise<Buffer[]> {
  const { rows } = await client.query("select pgtrail.consistency_proof($1, $2) as hashes", [
    from,
    to,
  ]);
  return rows[0].hashes;
}

async function signAndPublish(options: CheckpointOptions & { to: string }): Promise<void> {
  const { databaseUrl, to, json } = options;
  const screen = json
    ? silentScreen()
    : terminalScreen(to === "-" ? process.stderr : process.stdout);
  const state = options.state ?? join(to, "checkpoint");
  const key = await readSigningKey(options.key);

  await withLog(databaseUrl, async (client) => {
    // Two signers at once could each continue the last checkpoint in a way of their own.
    await client.query("select pg_advisory_lock(hashtextextended('pgtrail.checkpoint', 0))");
    const last = (await readIfThere(state))?.toString();
    const body = await fetchCheckpoint(client);
    let signed: Signed;
    try {
      signed = await signContinuation({
        body,
        key,
        last,
        newOrigin: options.newOrigin ?? false,
        fetchProof: (from, size) => fetchProof(client, from, size),
      });
    } catch (error) {
      if (!(error instanceof SigningRefused || error instanceof VerificationError)) throw error;
      alarm(error, last, body);
      return;
    }
    // Before anybody sees it: what was signed must never be forgotten.
    if (signed.note !== last) await replaceFile(state, signed.note, { durable: true });
    await publish(signed.note, state, options);
    await client.query("select pgtrail.record_published_checkpoint($1)", [signed.note]);
    tell(signed, signed.note === last, key, screen);
    if (json) process.stdout.write(`${JSON.stringify(resultOf(signed))}\n`);
  });
}

/** Says that a checkpoint was refused, as one line for whatever watches standard error. */
function alarm(error: SigningRefused | VerificationError, last: string | undefined, body: string) {
  const alert = {
    alert: "checkpoint refused",
    code: error.code,
    message: error.message,
    last: last?.split("\n").slice(0, 3),
    checkpoint: body.split("\n").slice(0, 3),
  };
  process.stderr.write(`${JSON.stringify(alert)}\n`);
  process.exitCode = VERIFICATION_FAILED;
}

async function publish(
  note: string,
  state: string,
  { to, method, timeout, json }: CheckpointOptions & { to: string },
): Promise<void> {
  if (to === "-") {
    if (!json) process.stdout.write(note);
  } else if (isDirectory(to)) {
    const path = join(to, "checkpoint");
    // Without --state this is the state itself.
    if (path !== state) await replaceFile(path, note, { durable: true });
  } else {
    await send(note, new URL(to), method, timeout);
  }
}

async function send(note: string, url: URL, method: string, seconds: number): Promise<void> {
  // The rest of a URL may be a secret.
  const place = `${url.origin}${url.pathname}`;
  const failed = (reason: string, cause?: unknown) =>
    new UserError(`signed, but not published: ${method} ${place} ${reason}`, {
      hint: "Run it again: what was signed is kept in the state file.",
      cause,
    });
  const response = await fetch(url, {
    method,
    body: note,
    headers: { "content-type": "text/plain; charset=utf-8" },
    redirect: "error",
    signal: AbortSignal.timeout(seconds * 1000),
  }).catch((error) => {
    const { name, message, cause } = error as Error;
    if (name === "TimeoutError") throw failed(`took longer than ${seconds} seconds`, error);
    throw failed(`failed: ${cause instanceof Error ? cause.message : message}`, error);
  });
  await response.body?.cancel();
  if (!response.ok) throw failed(`was answered with ${response.status}`);
}

function isDirectory(to: string): boolean {
  return to !== "-" && !/^https?:\/\//.test(to);
}

function tell({ checkpoint, isFirst }: Signed, isOld: boolean, key: SigningKey, screen: Screen) {
  const tree = `${checkpoint.origin} with ${count(checkpoint.size)} entries`;
  if (isFirst) {
    screen.line(`signed ${tree}: the first checkpoint, trusted as it is`);
    screen.line(`Verifiers need this key: ${key.vkey}`);
  } else if (isOld) {
    screen.line(`${tree} was signed before; nothing is new`);
  } else {
    screen.line(`signed ${tree}: it continues the last checkpoint that was signed`);
  }
}

function resultOf({ checkpoint, note, isFirst }: Signed) {
  const root = Buffer.from(checkpoint.root).toString("base64");
  return { origin: checkpoint.origin, size: checkpoint.size, root, first: isFirst, note };
}

async function readSigningKey(path: string | undefined): Promise<SigningKey> {
  const skey = path ? (await readGiven(path)).toString() : process.env[KEY_VARIABLE];
  if (skey) return parseSigningKey(skey);
  throw new UserError(`there is no signing key: neither --key nor ${KEY_VARIABLE}`, {
    hint: "Make one with: pgtrail checkpoint keygen --name ORIGIN",
    exitCode: 2,
  });
}

function keygenCommand(): Command {
  return new Command("keygen")
    .description("make a key that signs checkpoints, and the public key that verifies them")
    .requiredOption("--name <origin>", "origin of the log, the first line of its checkpoints")
    .option(
      "--out <file>",
      "write the signing key there, for its owner only, and print the public one",
    )
    .option("--json", "print the keys as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail checkpoint keygen --name example.org/audit --out audit.key\n" +
        "\nName the log so: select pgtrail.start_new_origin('its name', 'example.org/audit')." +
        "\nThe keys have the form that Go's sumdb/note reads." +
        "\nExit codes: 0 done, 1 something is wrong, 2 usage.",
    )
    .action(async ({ name, out, json }: { name: string; out?: string; json?: true }) => {
      const { skey, vkey } = await generateSigningKey(name);
      if (out) await writeSecret(out, `${skey}\n`);
      if (json) {
        process.stdout.write(`${JSON.stringify(out ? { vkey } : { skey, vkey })}\n`);
      } else {
        process.stdout.write(out ? `${vkey}\n` : `${skey}\n${vkey}\n`);
      }
    });
}

async function writeSecret(path: string, contents: string): Promise<void> {
  try {
    await writeFile(path, contents, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "EEXIST" ? "it is there already, and may be in use" : message;
    throw new UserError(`cannot write ${path}: ${reason}`, { cause: error });
  }
}

function cosignCommand(): Command {
  return new Command("cosign")
    .description("store the signatures that witnesses put on a signed checkpoint")
    .argument("<file>", "the signed checkpoint with their signatures, or - for standard input")
    .addOption(databaseUrlOption())
    .option("--witness <vkey>", "a witness that must have signed; can be repeated", collect, [])
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  pgtrail checkpoint cosign checkpoint.cosigned --witness witness.example+0a1b2c3d+BA…\n" +
        "\nIt prints the checkpoint with all signatures that are known now." +
        EXIT_CODES,
    )
    .action(cosign);
}

interface CosignOptions {
  databaseUrl: string;
  witness: string[];
  json?: true;
}

async function cosign(file: string, options: CosignOptions): Promise<void> {
  const witnesses = await Promise.all(options.witness.map(keyOf));
  const note = file === "-" ? await text(process.stdin) : (await readGiven(file)).toString();
  const checkpoint = await verifying("the checkpoint", async () => {
    const { text: body, signatures } = await verifyNote(note, witnesses, nodeAlgorithms);
    const absent = witnesses.find((witness) => !signatures.some(({ key }) => key === witness));
    if (absent) throw new VerificationError("not_signed", `${absent.name} has not signed it`);
    return parseCheckpoint(body);
  });
  const merged = await withLog(options.databaseUrl, async (client) => {
    await client.query("select pgtrail.record_published_checkpoint($1)", [note]);
    const { rows } = await client.query(
      "select note from pgtrail.published_checkpoints() where tree_size = $1",
      [checkpoint.size],
    );
    return rows[0].note as string;
  });
  process.stdout.write(options.json ? `${JSON.stringify({ note: merged })}\n` : merged);
}
