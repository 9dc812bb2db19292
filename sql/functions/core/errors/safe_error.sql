-- The vocabulary is this function: the domain pgtrail.safe_error stores what it returns unchanged.
create or replace function pgtrail.safe_error(sqlstate text, context text default 'database')
    returns text
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contexts constant text[] := enum_range(null::pgtrail.error_context)::text[];
    c_kinds constant text[] := array[
        'cancelled', 'connection_lost', 'constraint_violated', 'deadlock', 'definition_error', 'failed',
        'internal_error', 'invalid_data', 'limit_exceeded', 'lock_timeout', 'not_found', 'out_of_resources',
        'permission_denied', 'rate_limited', 'refused', 'rejected', 'serialization_failure', 'timeout',
        'unauthorized', 'unavailable', 'unknown'];
    v_context text;
begin
    if safe_error.sqlstate is null then
        return null;
    end if;
    if split_part(safe_error.sqlstate, '.', 1) = any (v_contexts)
        and split_part(safe_error.sqlstate, '.', 2) = any (c_kinds)
        and safe_error.sqlstate
            = split_part(safe_error.sqlstate, '.', 1) || '.' || split_part(safe_error.sqlstate, '.', 2)
    then
        return safe_error.sqlstate;
    end if;

    v_context := case when safe_error.context = any (v_contexts) then safe_error.context else 'other' end;
    return v_context || '.' || case
        when safe_error.sqlstate in ('57014', '408', '504') then 'timeout'
        when safe_error.sqlstate = '55P03' then 'lock_timeout'
        when safe_error.sqlstate = '40P01' then 'deadlock'
        when safe_error.sqlstate = '40001' then 'serialization_failure'
        when safe_error.sqlstate in ('42501', '403') then 'permission_denied'
        when safe_error.sqlstate in ('401', '407') or safe_error.sqlstate ~ '^28[0-9A-Z]{3}$' then 'unauthorized'
        when safe_error.sqlstate in ('PT404', 'P0002', '404', '410') then 'not_found'
        when safe_error.sqlstate = '429' then 'rate_limited'
        when safe_error.sqlstate ~ '^4[0-9]{2}$' then 'rejected'
        when safe_error.sqlstate ~ '^5[0-9]{2}$' then 'unavailable'
        when safe_error.sqlstate ~ '^(08[0-9A-Z]{3}|57P0[0-9])$' then 'connection_lost'
        when safe_error.sqlstate ~ '^22[0-9A-Z]{3}$' then 'invalid_data'
        when safe_error.sqlstate ~ '^23[0-9A-Z]{3}$' then 'constraint_violated'
        when safe_error.sqlstate ~ '^42[0-9A-Z]{3}$' then 'definition_error'
        when safe_error.sqlstate ~ '^53[0-9A-Z]{3}$' then 'out_of_resources'
        when safe_error.sqlstate ~ '^54[0-9A-Z]{3}$' then 'limit_exceeded'
        when safe_error.sqlstate ~ '^57[0-9A-Z]{3}$' then 'cancelled'
        when safe_error.sqlstate ~ '^(58|F0|XX)[0-9A-Z]{3}$' then 'internal_error'
        when safe_error.sqlstate ~ '^(P0001|TR[0-9]{3})$' then 'refused'
        when safe_error.sqlstate ~ '^[0-9A-Z]{5}$' then 'failed'
        else 'unknown'
    end;
end;
$$;

revoke all on function pgtrail.safe_error from public, anon, authenticated, pgtrail_auditor;
grant execute on function pgtrail.safe_error to service_role;
comment on function pgtrail.safe_error is
    'Returns what went wrong in a fixed vocabulary, <context>.<kind>, such as database.timeout: safe to store and to '
    'show, whatever the error said. sqlstate is a SQLSTATE, an HTTP status, or a word of the vocabulary, which is '
    'returned as it is; of anything else the kind is unknown. context is one of '
    'pgtrail.error_context; of anything else it is other. Null for null.';
