begin;
select plan(17);

-- Columns of a good trail, and one way each to get one of them wrong.
create function pg_temp.attempt(change text, wrong text, arguments text default '''org_id''') returns text
language plpgsql as $$
declare
    v_table text := replace(
        'create table public.attempt (
            id uuid primary key,
            happened_at timestamptz generated always as (pgtrail.uuid7_time(id)) stored,
            org_id uuid not null,
            note text,
            recorded_at timestamptz not null default clock_timestamp(),
            era smallint not null default 0,
            tx_id xid8 not null default pg_current_xact_id(),
            erasure_salt uuid default gen_random_uuid()
        ) partition by range (id)', change, wrong);
    v_detail text;
begin
    assert change = '' or wrong <> change, 'the change changes nothing';
    execute v_table;
    execute format('select pgtrail.create_trail(''public.attempt'', %s)', arguments);
    drop table public.attempt;
    delete from pgtrail.entry_format where trail_name = 'attempt';
    delete from pgtrail.trail where trail_name = 'attempt';
    return 'accepted';
exception when sqlstate 'TR001' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail;
end;
$$;

select is(pg_temp.attempt('tx_id xid8', 'tx_id  xid8'), 'accepted', 'the right shape is accepted');
select is(pg_temp.attempt(') partition by range (id)', ')'), 'it must be partitioned by range (id)');
select is(pg_temp.attempt('partition by range (id)', 'partition by hash (id)'), 'it must be partitioned by range (id)');
select is(pg_temp.attempt('id uuid primary key', 'id uuid not null'), 'its primary key must be id uuid');
select alike(pg_temp.attempt('timestamptz generated always as (pgtrail.uuid7_time(id)) stored', 'timestamptz'), 'it must have one column "<event>_at%', 'column event>_at must be right');
select alike(pg_temp.attempt('recorded_at timestamptz not null', 'recorded_at timestamptz'), 'it must have column "recorded_at%', 'column recorded_at must be right');
select alike(pg_temp.attempt('default clock_timestamp()', 'default now()'), 'it must have column "recorded_at%', 'column recorded_at must be right');
select alike(pg_temp.attempt('era smallint', 'era int'), 'it must have column "era%', 'column era must be right');
select alike(pg_temp.attempt('default pg_current_xact_id()', ''), 'it must have column "tx_id%', 'column tx_id must be right');
select alike(pg_temp.attempt('org_id uuid', 'org_id text'), 'it must have column "org_id%', 'column org_id must be right');
select alike(pg_temp.attempt('', 'x', '''nobody'''), 'it must have column "nobody%', 'column nobody must be right');
select alike(pg_temp.attempt('default gen_random_uuid()', '', '''org_id'', ''{note}'''), 'it must have column "erasure_salt%', 'column erasure_salt must be right');
select is(pg_temp.attempt('', 'x', '''org_id'', ''{nothing}'''), 'column "nothing" cannot be erasable or digested: it is missing or required');
select is(pg_temp.attempt('', 'x', '''org_id'', ''{org_id}'''), 'column "org_id" cannot be erasable or digested: it is missing or required');
select is(pg_temp.attempt('', 'x', '''org_id'', ''{}'', ''{tx_id}'''), 'column "tx_id" cannot be erasable or digested: it is missing or required');
select is(pg_temp.attempt('note text', 'note text not null', '''org_id'', ''{note}'''), 'column "note" cannot be erasable or digested: it is missing or required');
select is(pg_temp.attempt('note text', 'note text not null', '''org_id'', ''{}'', ''{note}'''), 'accepted', 'what is digested may be required');

select * from finish();
rollback;
