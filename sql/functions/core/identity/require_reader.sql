create or replace function pgtrail.require_reader(organisation_id uuid)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not pgtrail.may_read(require_reader.organisation_id) then
        raise exception 'not allowed to read the entries of this organisation'
            using errcode = 'insufficient_privilege',
                  detail = format('organisation %s', require_reader.organisation_id),
                  hint = 'Members of it with a role of pgtrail.reader_role may.';
    end if;
end;
$$;

revoke all on function pgtrail.require_reader from public, anon;
grant execute on function pgtrail.require_reader to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.require_reader is
    'Raises 42501 when the caller may not read the entries of an organisation.';
