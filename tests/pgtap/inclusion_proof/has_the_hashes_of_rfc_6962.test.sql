begin;
select plan(5);

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

select is(pgtrail._inclusion_hashes(1, proof.leaf, proof.size), proof.hashes, proof.name)
from (values
    (0::bigint, 1::bigint, '{}'::bytea[], 'the only leaf'),
    (0, 8,
        array[
            '\x96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
            '\x5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
            '\x6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4']::bytea[],
        'the first of 8'),
    (5, 8,
        array[
            '\xbc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
            '\xca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
            '\xd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7']::bytea[],
        'the sixth of 8'),
    (2, 3,
        array['\xfac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']::bytea[],
        'the last of 3'),
    (1, 5,
        array[
            '\x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
            '\x5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
            '\xbc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b']::bytea[],
        'the second of 5')
) as proof (leaf, size, hashes, name);

select * from finish();
rollback;
