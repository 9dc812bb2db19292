create or replace function pgtrail._commitment(derived_salt bytea, value text)
    returns bytea
    language sql
    stable
    strict
    parallel safe
return sha256(derived_salt || convert_to(value, 'UTF8'));

revoke all on function pgtrail._commitment(bytea, text) from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._commitment(bytea, text) is
    'Returns what the log has of the value of an erasable column: sha256(salt of the column || UTF-8 value). Of a '
    'digested column the salt is empty.';
