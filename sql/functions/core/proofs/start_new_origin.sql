create or replace function pgtrail.start_new_origin(reason text, origin text default null)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_log pgtrail.log;
    v_origin text;
begin
    select head.* into strict v_log from pgtrail.log as head where head.log_id = 1 for update;
    v_origin := coalesce(
        start_new_origin.origin,
        regexp_replace(v_log.origin, '/[0-9]+$', '') || '/'
            || (select count(*) + 1 from pgtrail.origin as used where used.log_id = v_log.log_id));

    if coalesce(start_new_origin.reason, '') = '' then
        raise exception 'a reason is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say what auditors should know, such as: point-in-time recovery to 2026-11-20 08:00.';
    elsif v_origin !~ '^[^\s+]{1,200}$' then
        raise exception 'an origin has 1 to 200 characters, no space and no plus'
            using errcode = 'invalid_parameter_value',
                  detail = format('got "%s"', v_origin),
                  hint = 'Use a name like audit.example.org/app.';
    elsif exists (select from pgtrail.origin as used where used.origin = v_origin) then
        raise exception 'the log has had this origin already'
            using errcode = 'unique_violation',
                  detail = format('got "%s"', v_origin),
                  hint = 'An origin is never used again: two different histories would carry its name.';
    end if;

    insert into pgtrail.origin (log_id, from_size, origin, reason)
    values (v_log.log_id, v_log.tree_size, v_origin, start_new_origin.reason);
    update pgtrail.log as head set origin = v_origin where head.log_id = v_log.log_id;
    return v_origin;
end;
$$;

revoke all on function pgtrail.start_new_origin from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.start_new_origin is
    'Continues the log under a new origin and returns it: after a point-in-time recovery, when published '
    'checkpoints no longer fit, or to give the log its first name. By default the old origin with a number. Raises '
    '22023 (reason or origin), 23505 (used before).';
