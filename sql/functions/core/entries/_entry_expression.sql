-- json_build_array(...)::text is the one rendering that is the same under every TimeZone, DateStyle and
-- client_encoding, after ADD COLUMN and on every version of Postgres, as long as times enter as integers. The
-- expression belongs to the snapshot it is made in: the next one may see the trail's first erasure.
create or replace function pgtrail._entry_expression(trail_name text, version smallint)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_format pgtrail.entry_format;
    v_relation regclass;
    v_values text;
    v_was_erased boolean;
begin
    select format.* into strict v_format
    from pgtrail.entry_format as format
    where format.trail_name = _entry_expression.trail_name and format.version = _entry_expression.version;

    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _entry_expression.trail_name;

    v_was_erased := exists (
        select from pgtrail.erasure as erasure where erasure.trail_name = _entry_expression.trail_name);

    select string_agg(
            case
                when type.oid is null then 'null'
                when part.column_name = any (v_format.erasable)
                    then pgtrail._erasable_expression(v_format.trail_name, part.column_name, v_was_erased)
                when part.column_name = any (v_format.digested)
                    then format('encode(%s, ''hex'')', pgtrail._commitment_expression(
                        '''''::bytea', format('entry.%I::text', part.column_name)))
                when coalesce(nullif(type.typbasetype, 0), type.oid) in ('timestamptz'::regtype, 'timestamp'::regtype)
                    then format('(extract(epoch from entry.%I) * 1000000)::bigint', part.column_name)
                when coalesce(nullif(type.typbasetype, 0), type.oid) = 'bytea'::regtype
                    then format('encode(entry.%I, ''hex'')', part.column_name)
                else format('entry.%I', part.column_name)
            end,
            ', ' order by part.place)
    into v_values
    from unnest(v_format.columns) with ordinality as part (column_name, place)
    left join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = v_relation
        and attribute.attname = part.column_name
        and not attribute.attisdropped
    left join pg_catalog.pg_type as type on type.oid = attribute.atttypid;

    return format(
        'convert_to(json_build_array(%L, %s)::text, ''UTF8'')',
        v_format.trail_name || '/' || v_format.version, v_values);
end;
$$;

revoke all on function pgtrail._entry_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._entry_expression is
    'Returns the SQL expression that encodes the row "entry" of a trail: the UTF-8 text of a JSON array that begins '
    'with <trail>/<version>. Times are microseconds since 1970; erasable columns the hex of sha256(sha256(row salt '
    '|| column name) || value), or what pgtrail.erasure kept of it; digested columns the hex of sha256(value).';
