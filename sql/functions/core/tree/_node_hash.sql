create or replace function pgtrail._node_hash(children bytea)
    returns bytea
    language sql
    immutable
    strict
    parallel safe
return sha256('\x01'::bytea || children);

revoke all on function pgtrail._node_hash(bytea) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._node_hash(bytea) is
    'Returns the hash of a node over the hashes of its left and right child: sha256(0x01 || left || right) (RFC 6962, '
    'section 2.1).';
