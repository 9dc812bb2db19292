-- Hardly any trail has erasures, and to plan for those costs more than half of finding an entry's leaf. It is the text
-- of a value that is there or not: of a row value with a null in it, IS NOT NULL says false.
create or replace function pgtrail._erasable_expression(trail_name text, column_name name, was_erased boolean)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_salt text := pgtrail._derived_salt_expression('entry.erasure_salt', _erasable_expression.column_name);
    v_value text := format('entry.%I::text', _erasable_expression.column_name);
    v_kept text := format(
        'from pgtrail.erasure as erasure where erasure.trail_name = %L and erasure.entry_id = entry.id '
        'and erasure.column_name = %L', _erasable_expression.trail_name, _erasable_expression.column_name);
begin
    return format('encode(%s, ''hex'')', case
        when not _erasable_expression.was_erased then pgtrail._commitment_expression(v_salt, v_value)
        else format(
            'case when %1$s is not null then %2$s '
            'when entry.erasure_salt is null then (select erasure.commitment %3$s) end',
            v_value,
            pgtrail._commitment_expression(
                pgtrail._kept_salt_expression(
                    _erasable_expression.trail_name, _erasable_expression.column_name), v_value),
            v_kept)
    end);
end;
$$;

revoke all on function pgtrail._erasable_expression from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._erasable_expression is
    'Returns the SQL expression of an erasable column in the entry of the row "entry": the commitment to its value in '
    'hex, or, where the trail was_erased, what pgtrail.erasure kept.';
