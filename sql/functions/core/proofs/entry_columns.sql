-- The settings are those with which entries are encoded: a value is the text that was hashed.
create or replace function pgtrail.entry_columns(trail regclass, id uuid, version int)
    returns table (
        column_name name,
        is_time     boolean,
        is_hashed   boolean,
        value       text,
        salt        bytea
    )
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_trail_name text := pgtrail.trail_name(entry_columns.trail);
    v_salt text;
begin
    for column_name, is_time, is_hashed, v_salt in
        select part.name,
            coalesce(
                coalesce(nullif(type.typbasetype, 0), type.oid) in ('timestamptz'::regtype, 'timestamp'::regtype),
                false),
            part.name = any (format.erasable || format.digested),
            case
                when attribute.attname is null then null
                when part.name = any (format.erasable) then pgtrail._kept_salt_expression(v_trail_name, part.name)
                when part.name = any (format.digested) then '''''::bytea'
            end
        from pgtrail.entry_format as format
        cross join lateral unnest(format.columns) with ordinality as part (name, place)
        left join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = entry_columns.trail
            and attribute.attname = part.name
            and not attribute.attisdropped
        left join pg_catalog.pg_type as type on type.oid = attribute.atttypid
        where format.trail_name = v_trail_name and format.version = entry_columns.version
        order by part.place
    loop
        value := null;
        salt := null;
        if v_salt is not null then
            execute array_to_string(array[
                format('select entry.%I::text,', column_name), v_salt,
                'from', entry_columns.trail::text, 'as entry where entry.id = $1'
            ], ' ')
            into value, salt
            using entry_columns.id;
        end if;
        return next;
    end loop;
end;
$$;

revoke all on function pgtrail.entry_columns from public, anon, authenticated, service_role;
grant execute on function pgtrail.entry_columns to pgtrail_auditor;
comment on function pgtrail.entry_columns is
    'Returns the columns of an entry in a version of its format, in the order in which the entry holds them. Of those '
    'that it holds hashed (is_hashed), value and salt are the text and the bytes that lead to the hash, null where '
    'nothing is or nothing is left. is_time: the entry holds microseconds since 1970. Raises 22023.';
