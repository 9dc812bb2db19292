create or replace function pgtrail._leaf_hash(entry bytea)
    returns bytea
    language sql
    immutable
    strict
    parallel safe
return sha256('\x00'::bytea || entry);

revoke all on function pgtrail._leaf_hash(bytea) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._leaf_hash(bytea) is
    'Returns the hash of the leaf that an entry is: sha256(0x00 || entry) (RFC 6962, section 2.1).';
