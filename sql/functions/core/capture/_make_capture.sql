-- Definer: the trigger function must belong to pgtrail_owner, whoever owns the table.
create or replace function pgtrail._make_capture(tracked pgtrail.tracked_table)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := format(
        'pgtrail.%I', 'tg_' || left(md5((_make_capture.tracked).entity_type), 12) || '__capture');
begin
    -- Keys and values must not depend on the settings of who writes. A plan made for a few rows must not pair millions
    -- of them by a nested loop, and compiling it to machine code takes hundreds of milliseconds for one row.
    execute format(
        'create or replace function %s() returns trigger language plpgsql security definer '
        'set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set datestyle = ''ISO, YMD'' '
        'set intervalstyle = ''postgres'' set bytea_output = ''hex'' set extra_float_digits = 1 '
        'set enable_nestloop = off set jit = off as %L',
        v_name,
        pgtrail._capture_body(_make_capture.tracked));
    execute format(
        'revoke all on function %s() from public, anon, authenticated, service_role, pgtrail_auditor', v_name);
    execute format(
        'comment on function %s() is %L', v_name,
        format('Captures changes of %s. Made by pgtrail.track().', (_make_capture.tracked).entity_type));

    -- A table that was dropped and made again.
    delete from pgtrail.tracked_table as known
    where known.entity_type = (_make_capture.tracked).entity_type
        and not exists (select from pg_catalog.pg_class as class where class.oid = known.relation);
    insert into pgtrail.tracked_table (
        relation, entity_type, organisation_column, excluded, redacted, on_failure, level, shape)
    values (
        (_make_capture.tracked).relation, (_make_capture.tracked).entity_type,
        (_make_capture.tracked).organisation_column, (_make_capture.tracked).excluded,
        (_make_capture.tracked).redacted, (_make_capture.tracked).on_failure, (_make_capture.tracked).level,
        pgtrail._capture_shape((_make_capture.tracked).relation))
    on conflict on constraint tracked_table_pkey do update
    set organisation_column = excluded.organisation_column,
        excluded = excluded.excluded,
        redacted = excluded.redacted,
        on_failure = excluded.on_failure,
        level = excluded.level,
        shape = excluded.shape,
        tracked_at = clock_timestamp();
    return v_name;
end;
$$;

revoke all on function pgtrail._make_capture from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._make_capture is
    'Makes, or makes anew, the trigger function of a table and writes down what it was made for. Returns its name.';
