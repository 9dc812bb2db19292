create or replace function public.get_hlf_sync_audit_summary(
    org_id    uuid,
    from_date timestamptz default null,
    to_date   timestamptz default null
)
    returns table (outcome public.sync_outcome, attempts bigint, last_attempt_at timestamptz)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select counted.bucket::public.sync_outcome, counted.entries, counted.last_at
    from pgtrail.summary(
        'hlf_sync_audit_log', get_hlf_sync_audit_summary.org_id, get_hlf_sync_audit_summary.from_date,
        get_hlf_sync_audit_summary.to_date) as counted
    order by counted.bucket::public.sync_outcome;
end;
$$;

revoke all on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz) from public, anon;
grant execute on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz)
    to authenticated, service_role, pgtrail_auditor;
comment on function public.get_hlf_sync_audit_summary(uuid, timestamptz, timestamptz) is
    'Counts an organisation''s sync attempts by outcome, with the time of the last one of each.
Times are [from, to); null is open. The numbers are exact and cost the same however long the history is. Raises 22023 '
    '(organisation missing), 42501 (organisation the caller may not read).';
