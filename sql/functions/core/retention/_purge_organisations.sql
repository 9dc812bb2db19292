create or replace function pgtrail._purge_organisations(
    trail_name    text,
    relation      regclass,
    month         timestamptz,
    organisations jsonb,
    as_of         timestamptz,
    dry_run       boolean,
    max_batches   int,
    batch_size    int,
    out lines     pgtrail.purge_line[],
    out batches   int
)
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_due record;
    v_found bigint;
    v_removed bigint;
begin
    lines := '{}'::pgtrail.purge_line[];
    batches := 0;
    for v_due in
        select due.organisation_id, due.keep, _purge_organisations.as_of - due.keep as due_before
        from jsonb_to_recordset(_purge_organisations.organisations) as due (organisation_id uuid, keep interval)
    loop
        v_found := 0;
        if _purge_organisations.dry_run then
            execute array_to_string(array['select count(*) from (', pgtrail._due_entries_query(
                _purge_organisations.trail_name, v_due.organisation_id, _purge_organisations.month, v_due.due_before),
                ') as due'], ' ')
            into v_found;
        else
            while batches < _purge_organisations.max_batches loop
                v_removed := pgtrail._purge_entries(
                    _purge_organisations.trail_name, v_due.organisation_id, _purge_organisations.month,
                    v_due.due_before, _purge_organisations.batch_size);
                v_found := v_found + v_removed;
                -- What holds keep back does not use up the batches.
                batches := batches + (v_removed > 0)::int;
                exit when v_removed < _purge_organisations.batch_size;
            end loop;
            if v_found > 0 then
                perform pgtrail.recount(
                    _purge_organisations.relation, _purge_organisations.month,
                    _purge_organisations.month + interval '1 month', v_due.organisation_id);
            end if;
        end if;
        if v_found > 0 then
            lines := lines || row(
                _purge_organisations.trail_name, v_due.organisation_id, v_found, 'delete',
                format('of %s, past %s', to_char(_purge_organisations.month, 'YYYY-MM'), v_due.keep)
            )::pgtrail.purge_line;
        end if;
    end loop;
end;
$$;

revoke all on function pgtrail._purge_organisations from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._purge_organisations is
    'Removes what is due in a month of a trail, organisation by organisation and in at most max_batches batches, or, '
    'as a dry run, counts it. Returns a line an organisation and how many batches it took.';
