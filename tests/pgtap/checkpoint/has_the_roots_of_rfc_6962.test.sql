begin;
select plan(9);

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
select is(
    decode(split_part(pgtrail.checkpoint(tree.size), E'\n', 3), 'base64'),
    tree.root,
    format('the root of %s leaves', tree.size))
from (values
    (0::bigint, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'::bytea),
    (1, '\x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'),
    (2, '\xfac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'),
    (3, '\xaeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'),
    (4, '\xd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'),
    (5, '\x4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'),
    (6, '\x76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'),
    (7, '\xddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'),
    (8, '\x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
) as tree (size, root)
order by tree.size;

select * from finish();
rollback;
