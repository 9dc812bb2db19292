create or replace function pgtrail._trail_shape_defect(
    relation            regclass,
    organisation_column name,
    erasable            name[],
    digested            name[]
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(
        (
            select case
                when class.relkind <> 'p' or partition.partstrat <> 'r' or partition.partattrs::text <> key.attnum::text
                    then 'it must be partitioned by range (id)'
                when key.atttypid <> 'uuid'::regtype or not exists (
                    select from pg_catalog.pg_constraint
                    where conrelid = class.oid and contype = 'p' and conkey = array[key.attnum])
                    then 'its primary key must be id uuid'
                when pgtrail._time_column(class.oid) is null
                    then 'it must have one column "<event>_at timestamptz generated always as '
                        '(pgtrail.uuid7_time(id)) stored"'
            end
            from pg_catalog.pg_class as class
            left join pg_catalog.pg_partitioned_table as partition on partition.partrelid = class.oid
            left join pg_catalog.pg_attribute as key on key.attrelid = class.oid and key.attname = 'id'
            where class.oid = _trail_shape_defect.relation
        ),
        (
            select format('it must have column "%s %s %s"', required.name, required.type, required.clause)
            from (values
                ('recorded_at'::name, 'timestamptz'::regtype, true, 'clock_timestamp()',
                    'not null default clock_timestamp()'),
                ('era', 'smallint', true, null, 'not null default 0'),
                ('tx_id', 'xid8', true, 'pg_current_xact_id()', 'not null default pg_current_xact_id()'),
                ('erasure_salt', 'uuid', false, 'gen_random_uuid()', 'default gen_random_uuid()'),
                (_trail_shape_defect.organisation_column, 'uuid', false, null, '')
            ) as required (name, type, not_null, default_expression, clause)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = _trail_shape_defect.relation and attribute.attname = required.name
            left join pg_catalog.pg_attrdef as expression
                on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
            where (required.name <> 'erasure_salt' or _trail_shape_defect.erasable <> '{}')
                and (attribute.atttypid is distinct from required.type
                    or required.not_null and not attribute.attnotnull
                    or required.default_expression is not null
                        and pg_get_expr(expression.adbin, expression.adrelid)
                            is distinct from required.default_expression)
            limit 1
        ),
        (
            select format('column "%s" cannot be erasable or digested: it is missing or required', named.name)
            from unnest(_trail_shape_defect.erasable || _trail_shape_defect.digested) as named (name)
            left join pg_catalog.pg_attribute as attribute
                on attribute.attrelid = _trail_shape_defect.relation
                and attribute.attname = named.name
                and attribute.attnum > 0
            where attribute.attname is null
                or attribute.attname = any (
                    pgtrail._server_columns() || array[
                        'id', pgtrail._time_column(_trail_shape_defect.relation),
                        _trail_shape_defect.organisation_column])
                or attribute.attnotnull and named.name = any (_trail_shape_defect.erasable)
            limit 1
        )
    );
end;
$$;

revoke all on function pgtrail._trail_shape_defect from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._trail_shape_defect is
    'Returns what keeps a table from being a trail, as a sentence; null when nothing does.';
