begin;
select plan(20);

create function pg_temp.status(name text) returns text language sql as $$
    select status from pgtrail.health() where check_name = name
$$;

select tests.act_as_owner();
-- Of an old transaction: with others at work, one's own may lie ahead of what its snapshot knows.
update pgtrail.log set tx_id = '3';
insert into public.audit_log (organisation_id, action, tx_id) values (tests.organisation_a(), 'test', '4');
update pgtrail.log set sealed_at = now() - interval '9 minutes';
select is(pg_temp.status('seal'), 'ok', 'sealing has 10 minutes');
update pgtrail.log set sealed_at = now() - interval '10 minutes';
select is(pg_temp.status('seal'), 'critical', 'and no longer');

update pgtrail.log set maintained_at = now() - interval '25 hours';
select is(pg_temp.status('maintenance'), 'ok', 'a daily job may be 2 hours late');
update pgtrail.log set maintained_at = now() - interval '26 hours';
select is(pg_temp.status('maintenance'), 'critical', 'and no later');

select pgtrail.record_published_checkpoint(pgtrail.checkpoint() || E'\n— x AAAA\n');
update pgtrail.published_checkpoint set published_at = now() - interval '1 year';
select is(pg_temp.status('published checkpoint'), 'ok', 'what the log is now may have been published at any time');
update pgtrail.log set tree_size = 1;
update pgtrail.published_checkpoint set published_at = now() - interval '25 hours';
select is(pg_temp.status('published checkpoint'), 'ok', 'new leaves are published daily');
update pgtrail.published_checkpoint set published_at = now() - interval '26 hours';
select is(pg_temp.status('published checkpoint'), 'warning', 'or that is late');

select is(pg_temp.status('verification'), 'warning', 'a log that was never verified');
update pgtrail.log set verified_at = now() - interval '25 hours';
select is(pg_temp.status('verification'), 'ok');
update pgtrail.log set verified_at = now() - interval '26 hours';
select is(pg_temp.status('verification'), 'warning', 'or not for a day');

-- A trail that has no partition yet.
create table public.visit_log (
    id uuid primary key default pgtrail.uuid7(),
    visited_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    org_id uuid,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id()
) partition by range (id);
select pgtrail.create_trail('public.visit_log', 'org_id');
do $$ declare part record; begin
    for part in select inhrelid::regclass as partition from pg_inherits where inhparent = 'public.visit_log'::regclass loop
        execute format('drop table %s', part.partition);
    end loop;
end $$;
create function pg_temp.ahead(months int) returns text language plpgsql as $$
begin
    perform pgtrail.ensure_partitions('public.visit_log', now(), now() + make_interval(months => months));
    return pg_temp.status('partitions ahead');
end;
$$;
select is(pg_temp.ahead(months), expected, format('%s months ahead', months))
from (values (1, 'critical'), (2, 'warning'), (11, 'warning'), (12, 'ok')) as ahead (months, expected);

insert into pgtrail.rollup (trail_name, organisation_id, unit, starts_at, bucket, entries, last_at)
values ('audit_log', tests.organisation_a(), 'month', '2020-01-01Z', 'old', 1, '2020-01-20Z');
select pgtrail.enable_retention();
-- So that January 2020 is due since then.
create function pg_temp.due_since(since interval) returns text language plpgsql as $$
begin
    perform pgtrail.set_retention('public.audit_log', now() - since - timestamptz '2020-02-01Z');
    return pg_temp.status('retention');
end;
$$;
select is(pg_temp.due_since('2 days'), 'ok', 'removal may be 3 days late');
select is(pg_temp.due_since('4 days'), 'critical', 'and no later');
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case', to_at => '2020-01-10Z');
select is(pg_temp.status('retention'), 'ok', 'what is held from the beginning of its month on is not late');
select pgtrail.release_legal_hold(hold_id, 'closed') from pgtrail.legal_hold;
select is(pg_temp.status('retention'), 'critical', 'until the hold is released');
select pgtrail.place_legal_hold(tests.organisation_a(), 'a case', from_at => '2020-01-10Z');
select is(pg_temp.status('retention'), 'ok', 'nor is what is held at the end of it');
select pgtrail.release_legal_hold(hold_id, 'closed') from pgtrail.legal_hold where released_at is null;
select pgtrail.place_legal_hold(tests.organisation_b(), 'a case');
select is(pg_temp.status('retention'), 'critical', 'what another organisation has held is late');

select * from finish();
rollback;
