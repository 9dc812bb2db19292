create or replace function pgtrail._overdue_month_count(as_of timestamptz)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
begin
    return (
        select count(*)
        from pgtrail.trail as registered
        cross join lateral pgtrail._due_months(registered.trail_name, _overdue_month_count.as_of) as due
        where due.month + interval '1 month' < _overdue_month_count.as_of - due.keep
            and due.last_at < _overdue_month_count.as_of - due.keep
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.month)
            and not pgtrail._is_held(registered.trail_name, due.organisation_id, due.last_at)
            and not exists (
                select
                from pgtrail.batch_content as content
                join pgtrail.batch as batch on batch.log_id = 1 and batch.first_leaf = content.first_leaf
                where content.trail_name = registered.trail_name
                    and content.month = (due.month at time zone 'UTC')::date
                    and batch.sealed_at > _overdue_month_count.as_of - due.keep)
    );
end;
$$;

revoke all on function pgtrail._overdue_month_count from public, anon, authenticated, service_role;
grant execute on function pgtrail._overdue_month_count to pgtrail_auditor;
comment on function pgtrail._overdue_month_count is
    'Counts the months of organisations that were wholly past their policy at as_of, and not held, and that still have '
    'entries.';
