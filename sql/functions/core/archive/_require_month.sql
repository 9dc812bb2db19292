create or replace function pgtrail._require_month(month date)
    returns void
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (isfinite(_require_month.month) and extract(day from _require_month.month) = 1) is not true then
        raise exception 'a month is named by its first day'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(_require_month.month::text, 'null')),
                  hint = 'Write it like 2024-05-01.';
    end if;
end;
$$;

revoke all on function pgtrail._require_month from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._require_month is 'Raises 22023 unless the date is the first day of a month.';
