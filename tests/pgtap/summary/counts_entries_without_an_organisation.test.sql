-- A trail of one's own may have such entries. They count for the platform.
begin;
select plan(4);

select tests.act_as_owner();
create table public.loose_log (
    id uuid primary key default pgtrail.uuid7(),
    seen_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
    organisation_id uuid,
    recorded_at timestamptz not null default clock_timestamp(),
    era smallint not null default 0,
    tx_id xid8 not null default pg_current_xact_id()
) partition by range (id);
select pgtrail.create_trail('public.loose_log', 'organisation_id');
select tests.act_as('service');
insert into public.loose_log (organisation_id) values (null), (tests.organisation_a());

prepare summary as select * from public.get_audit_summary(tests.platform_organisation(), 'loose_log');
select tests.act_as('auditor');
select results_eq('summary', $$ values ('all', 1::bigint) $$, 'before they are sealed');

-- The position of the log is put behind the entries of this transaction, which is all that counting looks at.
select tests.act_as_owner();
update pgtrail.log set tx_id = pg_current_xact_id(), trail_name = '~';
select pgtrail.recount('public.loose_log');
select tests.act_as('auditor');
select results_eq('summary', $$ values ('all', 1::bigint) $$, 'and after');
select tests.act_as_owner();
select pgtrail.recount('public.loose_log', organisation_id => tests.platform_organisation());
select tests.act_as('auditor');
select results_eq('summary', $$ values ('all', 1::bigint) $$, 'and when the platform is counted again');
select is_empty('select from pgtrail.verify_rollups()', 'the counts are those of the entries');

select * from finish();
rollback;
