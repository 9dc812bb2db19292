-- Their owner does it, so that the migrating role need not be allowed to.
comment on schema pgtrail is 'Machinery of pgtrail: trail registry, guards, partitions. Not part of the exposed API.';
comment on schema pgtrail_partitions is
    'Monthly partitions of the trails. Nobody but the owner may use it: row level security and grants are not '
    'inherited.';
revoke all on schema pgtrail from public, anon;
revoke all on schema pgtrail_partitions from public, anon, authenticated, service_role, pgtrail_auditor;
grant usage on schema pgtrail to authenticated, service_role, pgtrail_auditor;
-- It owns functions there.
grant usage, create on schema pgtrail to pgtrail_purger;
