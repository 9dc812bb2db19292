begin;
select plan(12);

-- The leaves with which implementations of RFC 6962 are tested, since Certificate Transparency's own.
select tests.act_as_owner();
insert into pgtrail.tile (log_id, level, tile_index, hashes)
select 1, 0, 0, string_agg(sha256('\x00'::bytea || leaf.data), ''::bytea order by leaf.place)
from unnest(array[
    '', '\x00', '\x10', '\x2021', '\x3031', '\x40414243', '\x5051525354555657',
    '\x606162636465666768696a6b6c6d6e6f'
]::bytea[]) with ordinality as leaf (data, place);
update pgtrail.log
set tree_size = 8, root = '\x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328';

select tests.act_as('auditor');
select ok(pgtrail.verify_checkpoint(8, '\x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'), 'the present root');
select ok(pgtrail.verify_checkpoint(5, '\x4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'), 'an older one');
select ok(pgtrail.verify_checkpoint(0, sha256('')), 'that of the empty tree');
select ok(not pgtrail.verify_checkpoint(8, '\x4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'), 'not at another size');
select ok(not pgtrail.verify_checkpoint(5, sha256('another')), 'no other root');
select ok(not pgtrail.verify_checkpoint(9, sha256('another')), 'no size that is not reached');
select ok(not pgtrail.verify_checkpoint(-1, sha256('')), 'no negative size');
select is(pgtrail.verify_checkpoint(null, sha256('')), false, 'false without a size');
select is(pgtrail.verify_checkpoint(8, null), false, 'and without a root');

prepare holds as select pgtrail.verify_checkpoint(0, sha256(''));
select tests.act_as('service');
select throws_ok('holds', '42501', 'permission denied for function verify_checkpoint');
select tests.act_as('org_admin_a');
select throws_ok('holds', '42501');
select tests.act_as('anon');
select throws_ok('holds', '42501');

select * from finish();
rollback;
