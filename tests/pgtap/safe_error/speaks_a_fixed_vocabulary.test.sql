begin;
select plan(98);

create temporary table expected (code text, kind text);
insert into expected values
    -- SQLSTATEs.
    ('57014', 'timeout'), ('55P03', 'lock_timeout'), ('40P01', 'deadlock'), ('40001', 'serialization_failure'),
    ('42501', 'permission_denied'), ('28000', 'unauthorized'), ('28P01', 'unauthorized'),
    ('PT404', 'not_found'), ('P0002', 'not_found'),
    ('08000', 'connection_lost'), ('08006', 'connection_lost'), ('57P01', 'connection_lost'),
    ('57P02', 'connection_lost'), ('57P03', 'connection_lost'), ('57000', 'cancelled'),
    ('22000', 'invalid_data'), ('22012', 'invalid_data'), ('22P02', 'invalid_data'),
    ('23000', 'constraint_violated'), ('23505', 'constraint_violated'), ('23514', 'constraint_violated'),
    ('42P01', 'definition_error'), ('42703', 'definition_error'), ('42601', 'definition_error'),
    ('53100', 'out_of_resources'), ('53300', 'out_of_resources'),
    ('54000', 'limit_exceeded'), ('54001', 'limit_exceeded'),
    ('58030', 'internal_error'), ('58P01', 'internal_error'), ('F0000', 'internal_error'),
    ('XX000', 'internal_error'), ('XX001', 'internal_error'),
    ('P0001', 'refused'), ('TR001', 'refused'), ('TR999', 'refused'),
    ('00000', 'failed'), ('0A000', 'failed'), ('25006', 'failed'), ('40002', 'failed'), ('55000', 'failed'),
    ('HV000', 'failed'), ('P0004', 'failed'), ('ZZZZZ', 'failed'),
    -- HTTP statuses.
    ('400', 'rejected'), ('401', 'unauthorized'), ('403', 'permission_denied'), ('404', 'not_found'),
    ('407', 'unauthorized'), ('408', 'timeout'), ('409', 'rejected'), ('410', 'not_found'), ('422', 'rejected'),
    ('429', 'rate_limited'), ('499', 'rejected'), ('500', 'unavailable'), ('502', 'unavailable'),
    ('503', 'unavailable'), ('504', 'timeout'), ('599', 'unavailable'),
    -- Anything else.
    ('', 'unknown'), (' ', 'unknown'), ('200', 'unknown'), ('302', 'unknown'), ('600', 'unknown'), ('-1', 'unknown'),
    ('5030', 'unknown'), ('23505 ', 'unknown'), (E'23505\n', 'unknown'), ('235o5', 'unknown'), ('22p02', 'unknown'),
    ('division by zero', 'unknown'), ('ada@example.org', 'unknown'), ('timeout', 'unknown'),
    ('criteria', 'unknown'), ('criteria.', 'unknown'), ('.timeout', 'unknown'), ('criteria.timeout.', 'unknown'),
    ('criteria.timeout ada@example.org', 'unknown'), ('Criteria.timeout', 'unknown'), ('criteria.ada', 'unknown'),
    ('ada.timeout', 'unknown'), (E'criteria.timeout\n', 'unknown'), (repeat('x', 100000), 'unknown');

select is(pgtrail.safe_error(code), 'database.' || kind, quote_nullable(left(code, 40))) from expected;

select is(pgtrail.safe_error('23505', context), context || '.constraint_violated', 'context ' || context)
from unnest('{activity,award,certificate,criteria,database,job,notification,portal,request,webhook}'::text[]) as context;

select is(
    (select count(*) from expected
    cross join unnest('{criteria,portal,"SELECT secret FROM users",""}'::text[]) as context
    where pgtrail.safe_error(code, context) not in ('criteria.' || kind, 'portal.' || kind, 'other.' || kind)),
    0::bigint, 'an unknown context is other, whatever it says');
select is_empty(
    $$ select code from expected
    where pgtrail.safe_error(pgtrail.safe_error(code, 'portal'), 'criteria') is distinct from pgtrail.safe_error(code, 'portal') $$,
    'what is safe stays as it is, also in another context');
select is(pgtrail.safe_error('503', null), 'other.unavailable', 'so is a context of null');
select is(pgtrail.safe_error(null, 'portal'), null, 'no error is none');

select * from finish();
rollback;
