-- Invoker: only who owns a table may give it triggers.
create or replace function pgtrail.track(
    target              regclass,
    organisation_column name default null,
    exclude             name[] default '{}',
    redact              name[] default '{}',
    on_failure          text default 'block',
    level               text default null
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set jit = off set client_min_messages = warning
as $$
declare
    v_class pg_catalog.pg_class;
    v_tracked pgtrail.tracked_table;
    v_schema name;
    v_unknown name;
    v_partition bool;
begin
    select class.* into v_class from pg_catalog.pg_class as class where class.oid = track.target;
    v_partition := v_class.relkind = 'p' or v_class.relispartition;
    select namespace.nspname into v_schema
    from pg_catalog.pg_namespace as namespace where namespace.oid = v_class.relnamespace;
    select named.name into v_unknown
    from unnest(track.exclude || track.redact || track.organisation_column) as named (name)
    where named.name is not null and not exists (
        select from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = track.target and attribute.attname = named.name
            and attribute.attnum > 0 and not attribute.attisdropped);

    if v_class.relkind not in ('r', 'p') or v_class.relpersistence = 't'
        or v_schema in ('pgtrail', 'pgtrail_partitions', 'pg_catalog')
        or exists (select from pgtrail.trail as registered where registered.relation = track.target)
    then
        raise exception '% cannot be tracked', coalesce(track.target::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Tables can, partitioned or not: no views, temporary tables, trails, or tables of pgtrail.';
    elsif to_regclass('public.audit_log') is null then
        raise exception 'changes are captured into audit_log, which is not installed'
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Apply the migrations of the layer audit_log first.';
    elsif v_class.oid is null then
        raise exception 'target is required'
            using errcode = 'invalid_parameter_value', hint = 'Name a table.';
    elsif v_unknown is not null then
        raise exception '% has no column %', track.target, v_unknown
            using errcode = 'invalid_parameter_value',
                  hint = 'organisation_column, exclude and redact name columns of the table.';
    elsif track.organisation_column is not null and not exists (
        select from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = track.target and attribute.attname = track.organisation_column
            and attribute.atttypid = 'uuid'::regtype)
    then
        raise exception 'organisation_column must be of type uuid'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', track.organisation_column),
                  hint = 'Leave it out for tables that belong to no tenant.';
    elsif (track.on_failure in ('block', 'warn')) is not true then
        raise exception 'on_failure must be block or warn'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(track.on_failure, 'null')),
                  hint = 'block: what cannot be recorded does not happen. warn: it goes to pgtrail.failed_write.';
    elsif track.level not in ('statement', 'row') or (track.level = 'statement' and v_partition) then
        raise exception 'level must be statement or row, and row for partitions'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', track.level),
                  hint = 'Leave it out. row is for tables that logical replication writes to.';
    end if;

    select known.* into v_tracked from pgtrail.tracked_table as known where known.relation = track.target;
    v_tracked.relation := track.target;
    v_tracked.entity_type := coalesce(v_tracked.entity_type, format('%s.%s', v_schema, v_class.relname));
    v_tracked.organisation_column := track.organisation_column;
    v_tracked.excluded := coalesce(track.exclude, '{}'::name[]);
    v_tracked.redacted := coalesce(track.redact, '{}'::name[]);
    v_tracked.on_failure := track.on_failure;
    v_tracked.level := coalesce(track.level, case when v_partition then 'row' else 'statement' end);
    perform pgtrail._attach_capture(v_tracked);
    perform pgtrail._record_act('table.tracked', null, jsonb_build_object(
        'table', v_tracked.entity_type, 'organisation_column', track.organisation_column,
        'exclude', track.exclude, 'redact', track.redact, 'on_failure', track.on_failure,
        'level', v_tracked.level));
end;
$$;

revoke all on function pgtrail.track from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.track is
    'Captures every change of a table into audit_log, in the transaction of the change: <table>.inserted, updated, '
    'deleted and truncated, and rekeyed_from and rekeyed_to where the primary key changes. entity_type is '
    'schema.table, entity_id the primary key as text (of several columns a JSON array), changes {"column": {"old", '
    '"new"}} of what changed. organisation_column (uuid) names the tenant. Columns in exclude are not captured, of '
    'those in redact only that they changed. level is how its triggers run: after each statement, or, for partitions '
    'and tables that logical replication writes to, after each row. Calling it again changes the choice. For a role '
    'that owns the table and may act as pgtrail_owner. Raises 22023, 55000 (audit_log is not installed).';
