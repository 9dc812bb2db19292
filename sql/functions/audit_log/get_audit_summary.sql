create or replace function public.get_audit_summary(
    p_organisation_id uuid,
    p_trail           text,
    p_from_date       timestamptz default null,
    p_to_date         timestamptz default null
)
    returns table (bucket text, entries bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select counted.bucket, counted.entries
    from pgtrail.summary(p_trail, p_organisation_id, p_from_date, p_to_date) as counted;
end;
$$;

revoke all on function public.get_audit_summary(uuid, text, timestamptz, timestamptz) from public, anon;
grant execute on function public.get_audit_summary(uuid, text, timestamptz, timestamptz)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_audit_summary(uuid, text, timestamptz, timestamptz) is
    'Counts an organisation''s entries of a trail by bucket: what pgtrail.set_summary() says of it, of '
    'audit_log the action.
Times are [from, to); null is open. The numbers are exact and cost the same however long the history is. Raises 22023 '
    '(organisation missing), 42501 (organisation the caller may not read), PT404 (no such trail).';
