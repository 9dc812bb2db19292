-- A page looks at a month, then at the eight before it, and so on.
begin;
select plan(3);

create temporary table event (name text, at timestamptz);
insert into event values
    ('today', now()), ('8 years ago', now() - interval '8 years'), ('19 years ago', now() - interval '19 years');
grant select on event to public;
select tests.act_as_owner();
select pgtrail.ensure_partitions('public.audit_log', at, at) from event;
select tests.act_as('service');
select public.record_audit_event(tests.organisation_a(), name, p_id => pgtrail.uuid7(at)) from event;

select tests.act_as('coordinator_a');
create function pg_temp.pages() returns table (action text, next_page text) language plpgsql
as $$
begin
    loop
        select page.action, page.next_page into action, next_page
        from public.get_audit_log(tests.organisation_a(), p_page_size => 1, p_cursor => next_page) as page;
        return next;
        exit when next_page is null;
    end loop;
end;
$$;
select results_eq(
    'select action from pg_temp.pages()', 'select name from event order by at desc', 'by cursor, an entry a page');
select results_eq(
    $$
        select page.action
        from generate_series(1, 3) as number
        cross join lateral public.get_audit_log(tests.organisation_a(), p_page_size => 1, p_page => number) as page
    $$,
    'select name from event order by at desc', 'by number');
select results_eq(
    'select action from public.get_audit_log(tests.organisation_a())', 'select name from event order by at desc',
    'and in one page');

select * from finish();
rollback;
