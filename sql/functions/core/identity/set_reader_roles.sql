create or replace function pgtrail.set_reader_roles(roles text[])
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if set_reader_roles.roles is null or array_position(set_reader_roles.roles, null) is not null then
        raise exception 'roles must be an array of names'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name roles of pgtrail.membership; an empty array lets no member read.';
    end if;

    delete from pgtrail.reader_role as reader where reader.role <> all (set_reader_roles.roles);
    insert into pgtrail.reader_role (role)
    select distinct named.role from unnest(set_reader_roles.roles) as named (role)
    on conflict do nothing;
    perform pgtrail._record_act('readers.set', null, jsonb_build_object('roles', set_reader_roles.roles));
end;
$$;

revoke all on function pgtrail.set_reader_roles from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.set_reader_roles is
    'Sets which roles of pgtrail.membership read the entries of their organisation. For the owner. Audited. Raises '
    '22023 (null).';
