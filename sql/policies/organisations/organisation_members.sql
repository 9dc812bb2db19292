-- A database's own table of that name is not ours to protect.
do $$
begin
    if not pgtrail._is_owned('public.organisation_members') then
        return;
    end if;

    drop policy if exists select_self on public.organisation_members;
    create policy select_self on public.organisation_members for select to authenticated
        using (user_id = (select pgtrail.jwt_subject()));
    drop policy if exists select_auditor on public.organisation_members;
    create policy select_auditor on public.organisation_members for select to pgtrail_auditor using (true);
    drop policy if exists all_service on public.organisation_members;
    create policy all_service on public.organisation_members for all to service_role using (true) with check (true);
end;
$$;
