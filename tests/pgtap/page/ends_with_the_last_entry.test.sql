begin;
select plan(17);

select tests.act_as('service');
select public.record_audit_event(tests.organisation_a(), 'test', p_entity_type => 'thing', p_entity_id => n::text)
from generate_series(1, 50) as n;

-- Entries and cursors by page, each read with the cursor of the one before.
create function pg_temp.pages(size int) returns table (entries int, next_page text) language plpgsql
as $$
begin
    loop
        select count(*), max(page.next_page) into entries, next_page
        from public.get_audit_log(tests.organisation_a(), p_page_size => size, p_cursor => next_page) as page;
        return next;
        exit when next_page is null or entries = 0;
    end loop;
end;
$$;

select tests.act_as('coordinator_a');
select is(
    (select array_agg(entries) from pg_temp.pages(size)), expected,
    format('pages of %s: no page behind the last entry', size))
from (values
    (1, array_fill(1, '{50}')), (7, '{7,7,7,7,7,7,7,1}'), (10, '{10,10,10,10,10}'), (25, '{25,25}'), (49, '{49,1}'),
    (50, '{50}'), (51, '{50}'), (200, '{50}')
) as page (size, expected);
select is(
    (select max(next_page) from public.get_audit_log(tests.organisation_a(), p_page_size => size, p_page => last)), null,
    format('page %s of %s is the last one', last, size))
from (values (1, 50), (7, 8), (10, 5), (25, 2), (49, 2), (50, 1), (51, 1), (200, 1)) as page (size, last);
select isnt(
    (select max(next_page) from public.get_audit_log(tests.organisation_a(), p_page_size => 49)), null,
    'before it there is a cursor');

select * from finish();
rollback;
