import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { UserError } from "../errors/user_error.js";

/** The system account that the server runs as; undefined: ours, since we are not root. */
export type Account = { uid: number; gid: number } | undefined;

const NAME = "postgres";

/**
 * Chooses the account for a data directory. Postgres refuses to run as root, so root takes the
 * owner of the directory when it exists, else the system user postgres, which is made when missing.
 */
export async function serverAccount(dataDirectory: string): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataDirectory).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return (await lookUp()) ?? (await create());
}

async function lookUp(): Promise<Account> {
  const [uid, gid] = await Promise.all([run("id", ["-u", NAME]), run("id", ["-g", NAME])]);
  return uid.code === 0 && gid.code === 0
    ? { uid: Number(uid.output), gid: Number(gid.output) }
    : undefined;
}

async function create(): Promise<Account> {
  const shell = "/usr/sbin/nologin";
  const made = await run("/usr/sbin/useradd", [
    "--system",
    "--no-create-home",
    "--shell",
    shell,
    NAME,
  ]);
  // Another process may have made it meanwhile, so the outcome counts and not the exit code.
  const account = await lookUp();
  if (account === undefined) {
    throw new UserError(
      `Postgres does not run as root, and the system user "${NAME}" could not be created`,
      { hint: `Create it by hand, or run as an ordinary user. ${made.output.trim()}` },
    );
  }
  return account;
}

/** Whether the account may enter a directory, which needs every directory above it as well. */
export async function canEnter(account: Account, directory: string): Promise<boolean> {
  const { code } = await run("/bin/sh", ["-c", 'test -x "$0"', directory], { account });
  return code === 0;
}

/**
 * Runs a program to its end and collects what it says on both streams.
 * Resolves with code -1 and the reason when it cannot be started.
 */
export function run(
  file: string,
  args: string[],
  options: { account?: Account; directory?: string } = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      ...options.account,
      // Ours may be a directory that the account cannot read.
      cwd: options.directory ?? "/",
      // A session of its own: Ctrl-C is for us, and must not kill a server that is just starting.
      detached: true,
      windowsHide: true,
      env: programEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.once("error", (error) => resolve({ code: -1, output: error.message }));
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}

/** Ours without PGDATA and the like, and with messages in English, which start() reads. */
function programEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("PG"));
  return { ...Object.fromEntries(own), LC_ALL: "C" };
}
