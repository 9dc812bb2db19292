create or replace function pgtrail.open_alerts()
    returns table (
        alert_id        uuid,
        severity        text,
        kind            text,
        organisation_id uuid,
        payload         jsonb,
        raised_at       timestamptz
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select alert.alert_id, alert.severity, alert.kind, alert.organisation_id, alert.payload, alert.raised_at
    from pgtrail.alert as alert
    where alert.resolved_at is null
    order by alert.raised_at, alert.alert_id;
end;
$$;

revoke all on function pgtrail.open_alerts from public, anon, authenticated;
grant execute on function pgtrail.open_alerts to service_role, pgtrail_auditor;
comment on function pgtrail.open_alerts is
    'Returns the alerts that are open, the oldest first. severity is warning or critical.';
