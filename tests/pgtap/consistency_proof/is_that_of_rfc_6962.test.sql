begin;
select plan(15);

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
select is(pgtrail.consistency_proof(proof.from_size, proof.to_size), proof.hashes, proof.name)
from (values
    (1::bigint, 1::bigint, '{}'::bytea[], 'a tree with itself'),
    (0, 8, '{}', 'with the empty tree'),
    (1, 8,
        array[
            '\x96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
            '\x5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
            '\x6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4']::bytea[],
        'from 1 to 8'),
    (6, 8,
        array[
            '\x0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
            '\xca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
            '\xd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7']::bytea[],
        'from 6 to 8'),
    (2, 5,
        array[
            '\x5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
            '\xbc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b']::bytea[],
        'from 2 to 5')
) as proof (from_size, to_size, hashes, name);
select is(pgtrail.consistency_proof(6), pgtrail.consistency_proof(6, 8), 'to the present size by default');

select throws_ok('select pgtrail.consistency_proof(5, 3)', '22023', 'the log never had this size');
select throws_ok('select pgtrail.consistency_proof(5, 9)', '22023', 'the log never had this size');
select throws_ok('select pgtrail.consistency_proof(9)', '22023', 'the log never had this size');
select throws_ok('select pgtrail.consistency_proof(-1)', '22023', 'the log never had this size');
select throws_ok('select pgtrail.consistency_proof(null)', '22023', 'the log never had this size');

prepare proof as select pgtrail.consistency_proof(1, 8);
select tests.act_as('anon');
select throws_ok('proof', '42501');
select tests.act_as('coordinator_a');
select throws_ok('proof', '42501');
select tests.act_as('org_admin_a');
select throws_ok('proof', '42501');
select tests.act_as('service');
select throws_ok('proof', '42501', 'permission denied for function consistency_proof');

select * from finish();
rollback;
