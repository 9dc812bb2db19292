create or replace function pgtrail._purge_entries(
    trail_name      text,
    organisation_id uuid,
    month           timestamptz,
    due_before      timestamptz,
    max_entries     int
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set jit = off
as $$
declare
    v_relation regclass;
    v_ids uuid[];
begin
    select registered.relation into strict v_relation
    from pgtrail.trail as registered
    where registered.trail_name = _purge_entries.trail_name;

    -- The log must know which batch each lies in, before it is gone.
    execute array_to_string(array[
        'with due as materialized (',
        pgtrail._due_entries_query(
            _purge_entries.trail_name, _purge_entries.organisation_id, _purge_entries.month, _purge_entries.due_before),
        $query$
            order by entry.id
            limit $3
        ),
        counted as (
            select batch.first_leaf, count(*) as entries
            from due
            left join pgtrail.late_entry as late on late.trail_name = $1 and late.entry_id = due.id
            cross join lateral (
                select found.first_leaf
                from pgtrail.batch as found
                where late.leaf_index is null
                    and found.log_id = 1
                    and found.era = due.era
                    and (found.to_tx_id, found.to_trail_name, found.to_entry_id) >= (due.tx_id, $1 collate "C", due.id)
                order by found.to_tx_id, found.to_trail_name, found.to_entry_id
                limit 1
            ) as batch
            group by batch.first_leaf
            union all
            select batch.first_leaf, count(*)
            from due
            join pgtrail.late_entry as late on late.trail_name = $1 and late.entry_id = due.id
            cross join lateral (
                select max(found.first_leaf) as first_leaf
                from pgtrail.batch as found
                where found.log_id = 1 and found.first_leaf <= late.leaf_index
            ) as batch
            group by batch.first_leaf
        ),
        marked as (
            update pgtrail.batch_content as content
            set purged = content.purged + counted.entries
            from (select first_leaf, sum(entries)::int as entries from counted group by first_leaf) as counted
            where content.log_id = 1
                and content.first_leaf = counted.first_leaf
                and content.trail_name = $1
                and content.month = $2
            returning counted.entries
        )
        select coalesce((select array_agg(id) from due), '{}'::uuid[])
        where (select count(*) from due) = (select coalesce(sum(entries), 0) from marked)
        $query$
    ], ' ')
    into v_ids
    using _purge_entries.trail_name, _purge_entries.month::date, _purge_entries.max_entries;
    if v_ids is null then
        raise exception 'a purge must remove what is due, no more and no less'
            using errcode = 'data_corrupted',
                  detail = 'Some entries are in no batch of the log.',
                  hint = 'Nothing was removed. Run pgtrail.verify().';
    end if;

    if v_ids <> '{}'::uuid[] then
        perform pgtrail._delete_entries(v_relation, v_ids);
    end if;
    return cardinality(v_ids)::bigint;
end;
$$;

revoke all on function pgtrail._purge_entries from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail._purge_entries is
    'Removes up to max_entries of an organisation''s entries of a month that are older than due_before, and tells the '
    'log that they were purged. Returns how many. Raises XX001 when it cannot remove all of them.';
