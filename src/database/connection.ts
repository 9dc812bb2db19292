import pg from "pg";
import { UserError } from "../errors/user_error.js";

const CONNECT_SECONDS = 10;

/**
 * Opens one connection; the caller ends it. Without a database in the URL it is the user's own, as
 * libpq has it. Raises UserError when the URL is not one, or with the plain reason why the server
 * cannot be reached or refuses. Never tells the password.
 */
export async function connect(databaseUrl: string): Promise<pg.Client> {
  const url = parse(databaseUrl);
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: "pgtrail",
    connectionTimeoutMillis: CONNECT_SECONDS * 1000,
    // A server that is gone without a word would be waited for, for ever.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  });
  // A lost connection rejects the query that is under way; without a listener it ends the process.
  client.on("error", () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw connectionError(error, url);
  }
}

function parse(databaseUrl: string): URL {
  if (/^postgres(ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl)) {
    return new URL(databaseUrl);
  }
  throw new UserError("the database URL is not one that starts with postgresql://", {
    hint: "Write it like postgresql://user:password@host:5432/database; escape special characters in the password (@ is %40).",
    exitCode: 2,
  });
}

/** Why no connection came about. */
function connectionError(error: unknown, url: URL): UserError {
  const place = `${url.hostname || "localhost"}:${url.port || 5432}`;
  const { code, message } = error as { code?: string; message: string };
  const told = (text: string, hint?: string) => new UserError(text, { hint, cause: error });
  switch (code) {
    case "ECONNREFUSED":
      return told(`no Postgres listens at ${place}`, "Start it, or correct host and port.");
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return told(`the host name ${url.hostname} cannot be resolved`, "Correct it, or try again.");
    case "28P01":
      return told(`${place} refuses the password of ${url.username}`, "Correct it in the URL.");
    case undefined:
      if (/timeout/.test(message)) {
        return told(`${place} did not answer within ${CONNECT_SECONDS} seconds`);
      }
  }
  // Everything else the server or the system says plainly: 3D000 no such database, 53300 and so on.
  return told(`cannot connect to ${place}: ${message}`);
}
