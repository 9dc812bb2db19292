import pg from "pg";
import { count, type Screen } from "../system/terminal.js";
import { actAs, type Caller, callerOf } from "./caller.js";
import type { LoadedSample } from "./load.js";
import { members, type Organisation, type Person } from "./platform.js";

/** Connections of the tour. */
export interface TourClients {
  /** Logged in as authenticator: what an application has. */
  application: pg.ClientBase;
  /** Logged in as a member of pgtrail_owner: what migrations have. */
  owner: pg.ClientBase;
}

/** A row of public.get_audit_log, as far as the tour shows it. */
interface Entry {
  id: string;
  occurred_at: Date;
  actor_id: string | null;
  actor_kind: string;
  impersonator_id: string | null;
  action: string;
  changes: Record<string, { old: unknown; new: unknown }> | null;
  details: Record<string, unknown> | null;
  next_page: string | null;
}

const UPDATE = "update public.audit_log set action = 'nothing.happened'";
const COUNT = "select count(*) from public.audit_log";
const YEAR = 365 * 24 * 3_600_000;

/** Shows on the sample platform what pgtrail does: each step answers the question in its title. */
export async function showTour(
  clients: TourClients,
  sample: LoadedSample,
  screen: Screen,
): Promise<void> {
  const [first, second] = sample.platform;
  const coordinator = first?.coordinators[0];
  const mentor = first?.mentors[0];
  const stranger = second?.coordinators[0];
  if (!first || !second || !coordinator || !mentor || !stranger) {
    throw new Error("the sample platform has fewer people than the tour needs");
  }
  const stage = { clients, screen, names: namesOf(sample.platform) };

  await showNewest(stage, first, coordinator);
  await showRefusedUpdate(stage);
  await showPages(stage, first, coordinator);
  await showSummary(stage, first, coordinator);
  await showNothing(stage, "What does a peer mentor see of it?", first, mentor, "peer mentor");
  await showNothing(
    stage,
    "And a coordinator of another organisation?",
    first,
    stranger,
    `coordinator of ${second.name}`,
  );
  await showForgery(stage);
  await showNumbers(stage, sample);
}

interface Stage {
  clients: TourClients;
  screen: Screen;
  /** Names of people by their id; entries hold ids only. */
  names: ReadonlyMap<string, string>;
}

async function showNewest(stage: Stage, organisation: Organisation, coordinator: Person) {
  title(stage.screen, `What happened lately at ${organisation.name}?`);
  stage.screen.line(`${coordinator.name}, its coordinator, asks:`);
  const entries = await page(stage, organisation, coordinator, 8);
  showEntries(stage, entries);
}

async function showRefusedUpdate({ clients, screen }: Stage) {
  title(screen, "Can anybody rewrite history?");
  sql(screen, `${UPDATE};`);
  const service: Caller = { role: "service_role" };
  const { application, owner } = clients;
  const refused = {
    "the application's service_role": await refusal(
      actAs(application, service, () => application.query(UPDATE)),
    ),
    "pgtrail_owner, who owns the table": await refusal(asOwner(owner, () => owner.query(UPDATE))),
  };
  for (const [who, error] of Object.entries(refused)) {
    screen.line();
    screen.line(`As ${who}:`);
    showRefusal(screen, error);
  }
}

async function showPages(stage: Stage, organisation: Organisation, coordinator: Person) {
  const { screen } = stage;
  title(screen, "How does an application page through it?");
  const newest = await page(stage, organisation, coordinator, 3);
  showEntries(stage, newest);
  const cursor = newest.at(-1)?.next_page ?? null;
  screen.line();
  screen.line(`${screen.style.dim("next_page")}  ${cursor}`);
  screen.line();
  screen.line("The next page costs the same at any depth:");
  showEntries(stage, await page(stage, organisation, coordinator, 3, cursor));
}

async function showSummary(
  { clients, screen }: Stage,
  organisation: Organisation,
  coordinator: Person,
) {
  title(screen, "How did the syncs with the website go?");
  screen.line(`${coordinator.name} asks for the last year:`);
  const from = `${new Date(Date.now() - YEAR).toISOString().slice(0, 10)}Z`;
  const { rows } = await actAs(clients.application, callerOf(coordinator), () =>
    clients.application.query<{ outcome: string; attempts: string; last_attempt_at: Date }>(
      "select * from public.get_hlf_sync_audit_summary($1, $2)",
      [organisation.id, from],
    ),
  );
  sql(
    screen,
    `select * from get_hlf_sync_audit_summary('${organisation.id}',\n    from_date => '${from}');`,
  );
  screen.line();
  screen.table(
    [20, 10, 15],
    [
      ["outcome", "attempts", "last (UTC)"].map(screen.style.dim),
      ...rows.map(({ outcome, attempts, last_attempt_at }) => [
        screen.style.bold(outcome),
        count(Number(attempts)),
        when(last_attempt_at),
      ]),
    ],
  );
  screen.line();
  screen.line("Exact at any time: sealed entries are counted already, the others are counted now.");
}

async function showNothing(
  { clients, screen }: Stage,
  question: string,
  organisation: Organisation,
  person: Person,
  what: string,
) {
  title(screen, question);
  const client = clients.application;
  const counting = `${COUNT}\nwhere organisation_id = '${organisation.id}'`;
  const { rows } = await actAs(client, callerOf(person), () => client.query(counting));
  screen.line(`${person.name}, ${what}:`);
  sql(screen, `${counting};`);
  screen.line(`${screen.style.bold(rows[0].count)} entries`);
  screen.line();
  const reading = `${rpc(organisation)})`;
  sql(screen, `${reading};`);
  showRefusal(screen, await refusal(actAs(client, callerOf(person), () => client.query(reading))));
}

/** Forges an entry as only an administrator can, shows that it is found, and takes it back. */
async function showForgery({ clients, screen }: Stage) {
  title(screen, "And if an administrator does it anyway?");
  const { owner } = clients;
  await asOwner(owner, async () => {
    const sealing = "select pgtrail.seal(100000)";
    sql(screen, `${sealing};`);
    const sealed = await owner.query(sealing);
    screen.line(
      `${screen.style.bold(count(Number(sealed.rows[0].seal)))} entries became leaves of the log`,
    );
    screen.line();
    const checkpoint = await owner.query("select pgtrail.checkpoint() as body");
    sql(screen, "select pgtrail.checkpoint();   -- to be signed and kept outside the database");
    for (const line of checkpoint.rows[0].body.trimEnd().split("\n")) screen.line(line);
    screen.line();

    const forging = [
      "alter table public.audit_log disable trigger user",
      `update public.audit_log set action = 'nothing.happened'
where id = (select id from public.audit_log order by id desc limit 1)`,
    ];
    const verifying = "select * from pgtrail.verify()";
    await owner.query("begin");
    try {
      for (const statement of forging) {
        sql(screen, `${statement};`);
        await owner.query(statement);
      }
      sql(screen, `${verifying};`);
      const { rows } = await owner.query(verifying);
      screen.line();
      screen.table(
        [12, 40, 44],
        [
          ["defect", "entry", "detail"].map(screen.style.dim),
          ...rows.map((row) => [screen.style.red(row.defect), row.entry_id, row.detail]),
        ],
      );
    } finally {
      await owner.query("rollback");
    }
    screen.line();
    screen.line(
      "(Taken back.) Whoever rewrites entries and log together fails the published checkpoint.",
    );
  });
}

async function showNumbers({ clients, screen }: Stage, sample: LoadedSample) {
  title(screen, "How much is that?");
  const client = clients.application;
  const { rows } = await actAs(client, { role: "pgtrail_auditor" }, () =>
    client.query(
      `select
           count(*)::int as entries,
           count(distinct organisation_id)::int as organisations,
           min(at) as oldest,
           max(at) as newest,
           (select count(*)::int from pg_inherits join pgtrail.trails() on inhparent = relation)
               as partitions,
           (select count(*)::int from pgtrail.trail) as trails
       from (
           select organisation_id, occurred_at from public.audit_log
           union all
           select organisation_id, attempted_at from public.hlf_sync_audit_log
           union all
           select organisation_id, acknowledged_at from public.coordinator_acknowledgement_audit
           union all
           select org_id, triggered_at from public.badge_evaluation_logs
       ) as entry (organisation_id, at)`,
    ),
  );
  const { entries, organisations, oldest, newest, partitions, trails } = rows[0];
  const { sent, added, seconds } = sample;
  const speed = `${seconds.toFixed(1)} seconds, ${count(Math.round(sent / seconds))} a second`;
  screen.table(
    [13, 83],
    [
      ["entries", `${count(entries)}, from ${day(oldest)} to ${day(newest)}`],
      ["organisations", count(organisations)],
      [
        "partitions",
        `${count(partitions)} of ${trails} trails, one a month, the coming year included`,
      ],
      ["recorded", added === sent ? `in ${speed}` : `${count(added)} new; all sent in ${speed}`],
    ],
  );
}

async function page(
  { clients, screen }: Stage,
  organisation: Organisation,
  reader: Person,
  size: number,
  cursor: string | null = null,
): Promise<Entry[]> {
  const more = cursor === null ? "" : `,\n    p_cursor => '${cursor}'`;
  sql(screen, `${rpc(organisation)}, p_page_size => ${size}${more});`);
  return actAs(clients.application, callerOf(reader), async () => {
    const { rows } = await clients.application.query<Entry>(
      "select * from public.get_audit_log($1, p_page_size => $2, p_cursor => $3)",
      [organisation.id, size, cursor],
    );
    return rows;
  });
}

function showEntries({ screen, names }: Stage, entries: readonly Entry[]): void {
  const { bold, dim } = screen.style;
  screen.line();
  screen.table(
    [12, 25, 22, 33],
    [
      ["when (UTC)", "action", "who", "what"].map(dim),
      ...entries.map((entry) => [
        when(entry.occurred_at),
        bold(entry.action),
        who(entry, names),
        what(entry),
      ]),
    ],
  );
}

function rpc(organisation: Organisation): string {
  return `select * from get_audit_log('${organisation.id}'`;
}

/** 20 Nov 17:29, in UTC. */
function when(time: Date): string {
  return `${day(time).slice(0, 6)} ${time.toISOString().slice(11, 16)}`;
}

/** 20 Nov 2026, in UTC. */
function day(time: Date): string {
  return time.toUTCString().slice(5, 16);
}

function who(entry: Entry, names: Stage["names"]): string {
  if (entry.actor_id === null) return entry.actor_kind;
  const name = names.get(entry.actor_id) ?? entry.actor_id;
  return entry.impersonator_id === null ? name : `${name} (${entry.impersonator_id})`;
}

function what({ changes, details }: Entry): string {
  const changed = Object.entries(changes ?? {}).map(
    ([column, value]) => `${column}: ${value.old ?? "–"} → ${value.new}`,
  );
  const told = Object.entries(details ?? {}).map(([name, value]) => `${name}: ${value}`);
  return [...changed, ...told].join(", ");
}

function namesOf(platform: readonly Organisation[]): Map<string, string> {
  return new Map(platform.flatMap(members).map(({ id, name }) => [id, name]));
}

async function asOwner<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("set role pgtrail_owner");
  try {
    return await work();
  } finally {
    await client.query("reset role");
  }
}

/** The error that Postgres refuses with. A tour in which it does not must not go on. */
async function refusal(work: Promise<unknown>): Promise<pg.DatabaseError> {
  const outcome = await work.catch((error: unknown) => error);
  if (outcome instanceof pg.DatabaseError && outcome.code === "42501") return outcome;
  throw outcome instanceof Error ? outcome : new Error("what must be refused was allowed");
}

function title(screen: Screen, question: string): void {
  screen.line();
  screen.line(screen.style.bold(screen.style.cyan(`▌ ${question}`)));
  screen.line();
}

function sql(screen: Screen, statement: string): void {
  screen.line(screen.style.dim(statement));
}

function showRefusal(screen: Screen, { code, message, hint }: pg.DatabaseError): void {
  const { red, dim } = screen.style;
  const rows = [[red(`ERROR ${code}`), message]];
  if (hint) rows.push([dim("HINT"), hint]);
  screen.table([11, 85], rows);
}
