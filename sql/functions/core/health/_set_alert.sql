create or replace function pgtrail._set_alert(
    about        text,
    status       text,
    payload      jsonb default '{}',
    organisation uuid default null
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_alert_id uuid;
begin
    if _set_alert.status = 'ok' then
        update pgtrail.alert as alert
        set resolved_at = clock_timestamp()
        where alert.kind = _set_alert.about
            and alert.organisation_id is not distinct from _set_alert.organisation
            and alert.resolved_at is null;
        return;
    end if;

    update pgtrail.alert as alert
    set severity = _set_alert.status, payload = _set_alert.payload
    where alert.kind = _set_alert.about
        and alert.organisation_id is not distinct from _set_alert.organisation
        and alert.resolved_at is null
        and alert.severity = _set_alert.status;
    if found then
        return;
    end if;

    insert into pgtrail.alert as alert (severity, kind, organisation_id, payload)
    values (_set_alert.status, _set_alert.about, _set_alert.organisation, _set_alert.payload)
    on conflict (kind, organisation_id) where resolved_at is null do update
    set severity = excluded.severity, payload = excluded.payload
    returning alert.alert_id into v_alert_id;
    perform pg_notify('pgtrail_alert', v_alert_id::text);
end;
$$;

revoke all on function pgtrail._set_alert from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._set_alert is
    'Raises the alert of a kind, or resolves it when the status is ok. Notifies pgtrail_alert with its id when it is '
    'new or its severity has changed; one that is open already is brought up to date.';
