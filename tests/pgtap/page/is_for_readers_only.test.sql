begin;
select plan(32);

create temporary table rpc (name text);
insert into rpc values
    ('get_audit_log'), ('get_hlf_sync_audit'), ('get_coordinator_acknowledgement_audit'), ('get_badge_evaluation_logs');
grant select on rpc to public;
create function pg_temp.call(name text) returns text language plpgsql
as $$ begin return format('select from public.%s(tests.organisation_a())', name); end; $$;

select tests.act_as('anon');
select throws_ok(pg_temp.call(name), '42501', 'permission denied for function ' || name) from rpc;
select tests.act_as('peer_mentor_a');
select throws_ok(pg_temp.call(name), '42501', 'not allowed to read the entries of this organisation') from rpc;
select tests.act_as('coordinator_b');
select throws_ok(pg_temp.call(name), '42501', 'not allowed to read the entries of this organisation') from rpc;
select tests.act_as('coordinator_a');
select lives_ok(pg_temp.call(name), name || ' for a coordinator') from rpc;
select tests.act_as('chapter_admin_a');
select lives_ok(pg_temp.call(name), name || ' for a chapter_admin') from rpc;
select tests.act_as('org_admin_a');
select lives_ok(pg_temp.call(name), name || ' for an org_admin') from rpc;
select tests.act_as('service');
select lives_ok(pg_temp.call(name), name || ' for service_role') from rpc;
select tests.act_as('auditor');
select lives_ok(pg_temp.call(name), name || ' for an auditor') from rpc;

select * from finish();
rollback;
