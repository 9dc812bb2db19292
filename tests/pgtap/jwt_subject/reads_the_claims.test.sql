begin;
select plan(8);

select is(pgtrail.jwt_subject(), null, 'without a request there is no subject');
set local request.jwt.claims = '{"sub": "a0000000-0000-4000-8000-000000000001"}';
select is(pgtrail.jwt_subject(), 'a0000000-0000-4000-8000-000000000001', 'it is sub');
set local request.jwt.claims = '{"sub": "auth0|12345"}';
select is(pgtrail.jwt_subject(), 'auth0|12345', 'which need not be a UUID');
set local request.jwt.claims = '{"role": "service_role"}';
select is(pgtrail.jwt_subject(), null, 'a token without sub names nobody');
set local request.jwt.claims = '{"sub": ""}';
select is(pgtrail.jwt_subject(), null, 'nor does an empty sub');
set local request.jwt.claims = '';
select is(pgtrail.jwt_subject(), null, 'the empty setting that a finished request leaves names nobody');
set local request.jwt.claims = '{"sub": ';
select is(pgtrail.jwt_subject(), null, 'broken claims name nobody');
set local request.jwt.claims = '"sub"';
select is(pgtrail.jwt_subject(), null, 'claims that are no object name nobody');

select * from finish();
rollback;
