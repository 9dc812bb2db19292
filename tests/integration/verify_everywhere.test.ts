/** The compiled pgtrail/verify in Node, in Deno and in a browser, on what a real log published. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { generateSigningKey, parseSigningKey, signContinuation } from "../../src/signing/signer.js";
import { ids, useCluster, useDatabase } from "../harness/index.js";
import { seal } from "../harness/log.js";
import { action, checks, type Published, type Report, seen } from "../runtimes/checks.js";
import { nodeGlobals } from "../runtimes/node_globals.js";
import { makeWitness } from "../unit/verify/witness.js";

const cluster = useCluster({ fsync: "off" });
const database = useDatabase(cluster);
const origin = "example.org/audit";
const trail = "coordinator_acknowledgement_audit";
const month = "2024-05";
/** Long enough for a busy machine; a runtime that is still silent then hangs. */
const deadline = 60_000;

/** Where Debian's package puts it. */
const chromium = "/usr/bin/chromium";

/** What the runtimes see: the compiled modules, what was published, and what starts the checks. */
let site: string;

beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  const [published] = await Promise.all([publish(), compile(site)]);
  const files = {
    // As the package has it: without, Node may take the modules for CommonJS.
    "package.json": '{ "type": "module" }',
    "published.js": `export default ${JSON.stringify(published)};\n`,
    "print.js": `
      import { report } from "./tests/runtimes/checks.js";
      import published from "./published.js";
      console.log(JSON.stringify(await report(published)));`,
    "print_without_node.js": `
      import "./tests/runtimes/without_node.js";
      import "./print.js";`,
    // Imported in an expression, so that a module that does not load is reported too.
    "index.html": `<!doctype html><title>pgtrail/verify</title><script type="module">
      const body = await Promise.all([import("./tests/runtimes/checks.js"), import("./published.js")])
        .then(([{ report }, { default: published }]) => report(published))
        .then(JSON.stringify, (error) => "failed: " + error.stack);
      await fetch("report", { method: "POST", body });
    </script>`,
  };
  for (const [name, contents] of Object.entries(files)) {
    await writeFile(join(site, name), contents);
  }
});

afterAll(() => rm(site, { recursive: true, force: true }));

/** Compiles the library and its checks as `npm run build` does, but with the types of a browser. */
async function compile(outDir: string): Promise<void> {
  const config = {
    extends: join(projectRoot, "tsconfig.json"),
    compilerOptions: {
      types: [],
      lib: ["es2023", "dom", "dom.iterable"],
      declaration: false,
      rootDir: projectRoot,
      outDir,
    },
    include: [join(projectRoot, "src/verify"), join(projectRoot, "tests/runtimes")],
  };
  const path = join(outDir, "tsconfig.json");
  await writeFile(path, JSON.stringify(config));
  try {
    await promisify(execFile)(join(projectRoot, "node_modules/.bin/tsc"), ["-p", path]);
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout);
  }
}

/** Fills a log, signs it twice, and collects what our commands write of it. */
async function publish(): Promise<Published> {
  const key = await parseSigningKey((await generateSigningKey(origin)).skey);
  const stranger = await generateSigningKey(origin);
  const witness = await makeWitness("witness.example");
  const consistency = async (from: number, to: number): Promise<Buffer[]> => {
    const { rows } = await database.migrator.query(
      "select pgtrail.consistency_proof($1, $2) as hashes",
      [from, to],
    );
    return rows[0].hashes;
  };
  const sign = async (last?: string) => {
    await seal(database.superuser);
    const { rows } = await database.migrator.query("select pgtrail.checkpoint() as body");
    const { checkpoint, note } = await signContinuation({
      body: rows[0].body,
      key,
      last,
      newOrigin: false,
      fetchProof: consistency,
    });
    const cosigned = witness.cosign(note, new Date(seen));
    await database.migrator.query("select pgtrail.record_published_checkpoint($1)", [cosigned]);
    return { size: checkpoint.size, note: cosigned };
  };

  await database.migrator.query("select pgtrail.start_new_origin('its name', $1)", [origin]);
  const id = await record(300);
  const older = await sign();
  await recordArchivable();
  await record(300);
  const newer = await sign(older.note);

  const directory = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  try {
    const out = join(directory, "proof.json");
    await pgtrail("prove", "--trail", "audit_log", "--id", id, "--out", out);
    // Exports the tiles too.
    await pgtrail("archive", "--to", directory, "--trail", trail, "--month", month);
    const path = `entries/${trail}/${month}.ndjson.gz`;
    const hashes = await consistency(older.size, newer.size);
    return {
      keys: { log: key.vkey, witness: witness.vkey, stranger: stranger.vkey },
      bundle: await readFile(out, "utf8"),
      checkpoints: [older.note, newer.note],
      consistency: hashes.map((hash) => hash.toString("base64")),
      tiles: await tilesIn(directory),
      archive: { path, gzip: await readFile(join(directory, path), "base64") },
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Records events, and gives the id of one of them. */
async function record(count: number): Promise<string> {
  const { rows } = await database.as("service", (client) =>
    client.query(
      `select record_audit_event($1, $2, p_details => jsonb_build_object('n', n)) as id
       from generate_series(1, $3::int) as n`,
      [ids.organisationA, action, count],
    ),
  );
  return rows[count >> 1].id;
}

async function recordArchivable(): Promise<void> {
  await database.superuser.query("select pgtrail.ensure_partitions($1::regclass, $2, $2)", [
    `public.${trail}`,
    `${month}-15Z`,
  ]);
  await database.superuser.query(
    `insert into public.coordinator_acknowledgement_audit (id, organisation_id, coordinator_id,
       mentor_id, certificate_type, threshold_tier, note, recorded_at)
     select pgtrail.uuid7(at), $1, $1, $1, 'first aid', 'lapsed', 'ein "Vermerk" – ü', at
     from generate_series($2::timestamptz, $2::timestamptz + interval '2 days', '1 day') as at`,
    [ids.organisationA, `${month}-15 12:00:00Z`],
  );
}

async function pgtrail(...args: string[]): Promise<void> {
  await promisify(execFile)(process.execPath, ["dist/cli.js", ...args], {
    cwd: projectRoot,
    env: { ...process.env, DATABASE_URL: database.url("migrator") },
  });
}

/** The tiles of an export, by their paths. */
async function tilesIn(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(join(directory, "tile"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Object.fromEntries(
    await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(directory.length + 1), await readFile(path, "base64")];
      }),
    ),
  );
}

/** Runs a program that prints the report. */
async function printed(program: string, args: string[], environment = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    cwd: site,
    env: { ...process.env, ...environment },
    timeout: deadline,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}

function inNode(): Promise<string> {
  return printed(process.execPath, ["print.js"]);
}

/** No permission at all: what a module imports in so many words may be read without one. */
function inDeno(): Promise<string> {
  const alone = ["--no-config", "--no-lock", "--no-remote", "--no-npm", "--cached-only"];
  return printed(
    join(projectRoot, "node_modules/.bin/deno"),
    ["run", "--quiet", "--no-prompt", ...alone, "print_without_node.js"],
    { DENO_DIR: join(site, ".deno"), DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
  );
}

const mediaTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/** Serves the site. Gives what is posted to it, undefined for any other request. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<string | undefined> {
  if (request.method === "POST") {
    const body = await text(request);
    response.writeHead(204).end();
    return body;
  }
  const { pathname } = new URL(request.url ?? "", "http://localhost");
  const path = join(site, pathname === "/" ? "index.html" : pathname);
  const type = mediaTypes[extname(path)];
  const contents = type && (await readFile(path).catch(() => undefined));
  if (contents) response.writeHead(200, { "content-type": type }).end(contents);
  else response.writeHead(404).end();
  return undefined;
}

/** Opens the page in Chromium, and waits for what it posts. */
async function inChromium(): Promise<string> {
  const profile = await mkdtemp(join(tmpdir(), "pgtrail-test-"));
  const server = createServer();
  const posted = new Promise<string>((resolve, reject) => {
    server.on("request", (request, response) => {
      serve(request, response).then((body) => body !== undefined && resolve(body), reject);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const browser = spawn(
    chromium,
    [
      "--headless",
      // Its sandbox does not start for root, as whom containers run; the page is our own.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${port}/`,
    ],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: profile } },
  );
  const closed = once(browser, "close");
  const log = text(browser.stderr);
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    const fail = async (reason: string) => reject(new Error(`${reason}\n${await log}`));
    closed.then(([code, signal]) => fail(`Chromium ended with ${code ?? signal}`), reject);
    timer = setTimeout(() => {
      browser.kill("SIGKILL");
      fail(`the page did not answer within ${deadline} ms`);
    }, deadline);
  });
  try {
    return await Promise.race([posted, failed]);
  } finally {
    clearTimeout(timer);
    // The whole of it: its other processes end when the first one does, and close the pipe.
    browser.kill("SIGKILL");
    await closed.catch(() => {});
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

const runtimes = [
  // Node 20 does not say what it is. Of its globals it needs some itself.
  { name: "Node", run: inNode, userAgent: /^$|^Node\.js\//, globals: nodeGlobals },
  { name: "Deno", run: inDeno, userAgent: /^Deno\//, globals: [] },
  {
    name: "Chromium",
    run: inChromium,
    userAgent: / HeadlessChrome\//,
    globals: [],
    missing: existsSync(chromium) ? undefined : `there is no ${chromium}`,
  },
];

for (const { name, run, userAgent, globals, missing } of runtimes) {
  const title = `pgtrail/verify in ${name}${missing ? ` (not run: ${missing})` : ""}`;
  describe.runIf(!missing)(title, () => {
    let report: Report;

    beforeAll(async () => {
      const answer = await run();
      if (!answer.startsWith("{")) throw new Error(answer);
      report = JSON.parse(answer);
    });

    test(`ran there, ${globals.length > 0 ? "with" : "without"} Node's globals`, () => {
      expect(report.userAgent).toMatch(userAgent);
      expect(report.nodeGlobals).toEqual(globals);
    });

    for (const { name, expected } of checks) {
      test(name, () => expect(report.results[name]).toBe(expected));
    }
  });
}
