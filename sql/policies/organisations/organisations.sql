-- A database's own table of that name is not ours to protect.
do $$
begin
    if not pgtrail._is_owned('public.organisations') then
        return;
    end if;

    drop policy if exists select_member on public.organisations;
    create policy select_member on public.organisations for select to authenticated
        using (id in (select member.organisation_id from public.organisation_members as member));
    drop policy if exists select_auditor on public.organisations;
    create policy select_auditor on public.organisations for select to pgtrail_auditor using (true);
    drop policy if exists all_service on public.organisations;
    create policy all_service on public.organisations for all to service_role using (true) with check (true);
end;
$$;
