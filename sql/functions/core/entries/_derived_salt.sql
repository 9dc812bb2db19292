-- The name comes as bytes: in the generated expressions it is a constant then, which need not be converted for each row.
create or replace function pgtrail._derived_salt(row_salt uuid, column_name bytea)
    returns bytea
    language sql
    immutable
    strict
    parallel safe
return sha256(uuid_send(row_salt) || column_name);

revoke all on function pgtrail._derived_salt(uuid, bytea) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._derived_salt(uuid, bytea) is
    'Returns the salt of one erasable column of an entry: sha256(salt of the row || UTF-8 name of the column).';
