import type pg from "pg";
import type { Screen } from "../system/terminal.js";
import { actAs } from "./caller.js";
import { SAMPLE_SPAN, sampleEvents } from "./events.js";
import { members, type Organisation, samplePlatform } from "./platform.js";
import { sampleTrails } from "./trails.js";

const SEED = 1814;
const BATCH = 500;

export interface LoadedSample {
  platform: Organisation[];
  /** Events sent, those that were there already included. */
  sent: number;
  /** Entries that were not there before. */
  added: number;
  seconds: number;
}

/** The trails that the sample fills, and how an array of events is recorded in each. */
const TRAILS = {
  audit_log: `
    select count(public.record_audit_event(
        p_id => id,
        p_organisation_id => organisation_id,
        p_action => action,
        p_entity_type => entity_type,
        p_entity_id => entity_id,
        p_actor_id => actor_id,
        p_actor_kind => actor_kind,
        p_impersonator_id => impersonator_id,
        p_changes => changes,
        p_details => details,
        p_ip_address => ip_address,
        p_user_agent => user_agent,
        p_request_id => request_id))
    from jsonb_to_recordset($1) as event (
        id uuid, organisation_id uuid, action text, entity_type text, entity_id text,
        actor_id text, actor_kind text, impersonator_id text, changes jsonb, details jsonb,
        ip_address inet, user_agent text, request_id text)`,
  hlf_sync_audit_log: `
    select count(public.record_hlf_sync_attempt(
        p_id => id,
        p_organisation_id => organisation_id,
        p_mentor_id => mentor_id,
        p_sync_direction => sync_direction,
        p_outcome => outcome,
        p_source => source,
        p_portal_response_code => portal_response_code,
        p_retry_count => retry_count,
        p_error_code => error_code,
        p_sync_job_id => sync_job_id,
        p_requested_by => requested_by))
    from jsonb_to_recordset($1) as attempt (
        id uuid, organisation_id uuid, mentor_id uuid, sync_direction public.sync_direction,
        outcome public.sync_outcome, source public.sync_source, portal_response_code int,
        retry_count int, error_code text, sync_job_id uuid, requested_by text)`,
  coordinator_acknowledgement_audit: `
    select count(public.record_acknowledgement(
        p_id => id,
        p_organisation_id => organisation_id,
        p_coordinator_id => coordinator_id,
        p_mentor_id => mentor_id,
        p_certificate_type => certificate_type,
        p_threshold_tier => threshold_tier,
        p_notification_id => notification_id,
        p_note => note))
    from jsonb_to_recordset($1) as acknowledgement (
        id uuid, organisation_id uuid, coordinator_id uuid, mentor_id uuid, certificate_type text,
        threshold_tier public.threshold_tier, notification_id uuid, note text)`,
  badge_evaluation_logs: `
    select count(public.record_badge_evaluation(
        p_id => id,
        p_org_id => org_id,
        p_peer_mentor_id => peer_mentor_id,
        p_duration_ms => duration_ms,
        p_activity_id => activity_id,
        p_badges_evaluated => badges_evaluated,
        p_criteria_outcomes => criteria_outcomes,
        p_badges_awarded => badges_awarded,
        p_error_message => error_message))
    from jsonb_to_recordset($1) as evaluation (
        id uuid, org_id uuid, peer_mentor_id uuid, duration_ms numeric, activity_id uuid,
        badges_evaluated jsonb, criteria_outcomes jsonb, badges_awarded uuid[], error_message text)`,
} as const;

type Trail = keyof typeof TRAILS;

/**
 * Loads the sample platform the way a backfill does, as service_role through the public functions.
 * It ends now when it is loaded for the first time. Loading it again sends the same ids, so it adds
 * only what is missing.
 *
 * @param owner a client of a role that may act as pgtrail_owner
 */
export async function loadSample(
  client: pg.ClientBase,
  owner: pg.ClientBase,
  screen: Screen,
): Promise<LoadedSample> {
  const platform = samplePlatform(SEED);
  const start = await uncaptured(owner, () => createOrganisations(client, platform));
  const events = sampleEvents(platform, SEED, start);
  const sample = { audit_log: events, ...sampleTrails(platform, events, SEED, start) };
  const batches = (Object.keys(TRAILS) as Trail[]).flatMap((trail) =>
    batchesOf(trail, sample[trail]),
  );
  const total = batches.reduce((sum, { entries }) => sum + entries.length, 0);
  const before = await countEntries(client, platform);

  const began = performance.now();
  const progress = screen.progress(total, "events");
  let sent = 0;
  try {
    for (const { trail, entries } of batches) {
      await actAs(client, { role: "service_role" }, () =>
        client.query(TRAILS[trail], [JSON.stringify(entries)]),
      );
      sent += entries.length;
      progress.update(sent);
    }
  } finally {
    progress.finish();
  }
  const seconds = (performance.now() - began) / 1000;
  const added = (await countEntries(client, platform)) - before;
  return { platform, sent, added, seconds };
}

function batchesOf(trail: Trail, entries: readonly object[]) {
  return Array.from({ length: Math.ceil(entries.length / BATCH) }, (_, i) => ({
    trail,
    entries: entries.slice(i * BATCH, (i + 1) * BATCH),
  }));
}

/** Runs `work` while new organisations and members, which are there from the start, are no events. */
async function uncaptured<T>(owner: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  const setTriggers = (state: "enable" | "disable") =>
    owner.query(
      ["organisations", "organisation_members"]
        .map((table) => `alter table public.${table} ${state} trigger pgtrail_capture_insert`)
        .join("; "),
    );
  await setTriggers("disable");
  try {
    return await work();
  } finally {
    await setTriggers("enable");
  }
}

/**
 * Creates organisations, members and the partitions of their history, and returns when it starts.
 * Organisations remember that as created_at, so that it stays the same at the next time.
 */
async function createOrganisations(client: pg.ClientBase, platform: readonly Organisation[]) {
  return actAs(client, { role: "service_role" }, async () => {
    await client.query(
      `insert into public.organisations (id, name, created_at)
       select id, name, $2 from jsonb_to_recordset($1) as organisation (id uuid, name text)
       on conflict (id) do nothing`,
      [JSON.stringify(platform), new Date(Date.now() - SAMPLE_SPAN)],
    );
    const memberships = platform.flatMap((organisation) =>
      members(organisation).map(({ id, role }) => ({
        organisation_id: organisation.id,
        user_id: id,
        role,
      })),
    );
    await client.query(
      `insert into public.organisation_members (organisation_id, user_id, role)
       select organisation_id, user_id, role
       from jsonb_to_recordset($1) as member (organisation_id uuid, user_id text, role text)
       on conflict do nothing`,
      [JSON.stringify(memberships)],
    );
    const { rows } = await client.query(
      "select min(created_at) as start from public.organisations where id = any ($1)",
      [platform.map((organisation) => organisation.id)],
    );
    const start: Date = rows[0].start;
    await client.query(
      "select public.prepare_audit_backfill(trail, $2) from unnest($1::text[]) as trail",
      [Object.keys(TRAILS), start],
    );
    return start.getTime();
  });
}

async function countEntries(client: pg.ClientBase, platform: readonly Organisation[]) {
  const { rows } = await actAs(client, { role: "service_role" }, () =>
    client.query(
      `select sum(summary.entries)::int as entries
       from unnest($1::text[]) as trail
       cross join unnest($2::uuid[]) as organisation
       cross join public.get_audit_summary(organisation, trail) as summary`,
      [Object.keys(TRAILS), platform.map((organisation) => organisation.id)],
    ),
  );
  return (rows[0].entries ?? 0) as number;
}
