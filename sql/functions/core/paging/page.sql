-- One function for every trail. The values are written into the query, so that it is planned for the partitions
-- between the bounds only, and with the index that serves the filters. A page reads the month in which it begins, then
-- the eight months before, and so on: planning for all partitions costs many times what most pages cost.
-- Costs of 0 let the number of rows alone decide: else, with few organisations or without statistics, the planner walks
-- the primary key, whose order fits the heap, and filters by organisation.
create or replace function pgtrail.page(
    rpc                 text,
    trail               regclass,
    organisation_column name,
    organisation_id     uuid,
    from_date           timestamptz,
    to_date             timestamptz,
    filters             jsonb,
    page                int,
    page_size           int,
    cursor              text
)
    returns table (id uuid, next_page text)
    language plpgsql stable rows 50
    set search_path = pg_catalog, pg_temp
    set jit = off set random_page_cost = 0 set seq_page_cost = 0 set cpu_operator_cost = 0
as $$
declare
    v_context text;
    v_conditions text;
    v_skipped bigint;
    v_from_id uuid;
    v_upper_id uuid;
    v_lower_id uuid;
    v_month timestamptz;
    v_months int := 1;
    v_found uuid[];
    v_ids uuid[] := '{}'::uuid[];
begin
    if page.organisation_id is null then
        raise exception 'p_organisation_id is required'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the organisation whose entries you want to read.';
    elsif (page.page_size between 1 and 200) is not true then
        raise exception 'p_page_size must be between 1 and 200'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(page.page_size::text, 'null')),
                  hint = 'Read on with p_cursor instead of a larger page.';
    elsif (page.page >= 1) is not true then
        raise exception 'p_page must be 1 or more'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(page.page::text, 'null')),
                  hint = 'Pages are numbered from 1.';
    elsif page.cursor is not null and page.page > 1 then
        raise exception 'p_page and p_cursor exclude each other'
            using errcode = 'invalid_parameter_value',
                  hint = 'A cursor already says where the page begins: leave p_page out.';
    end if;
    perform pgtrail.require_reader(page.organisation_id);

    v_context := (array[
        page.rpc, page.organisation_id::text, extract(epoch from page.from_date)::text,
        extract(epoch from page.to_date)::text, page.filters::text])::text;
    v_from_id := coalesce(pgtrail.uuid7_floor(page.from_date), pgtrail._least_id());
    -- Nothing is recorded that lies more than 5 minutes ahead; a day, in case the clock was put back.
    v_upper_id := least(
        coalesce(pgtrail.decode_cursor(page.cursor, v_context), pgtrail.uuid7_floor(page.to_date)),
        pgtrail.uuid7_floor(clock_timestamp() + interval '1 day'));
    v_skipped := (page.page - 1)::bigint * page.page_size;

    select coalesce(string_agg(format(' and %I = %L', filter.key, filter.value), ''), '') into v_conditions
    from jsonb_each_text(page.filters) as filter
    where filter.value is not null;

    v_month := date_trunc('month', least(pgtrail.uuid7_time(v_upper_id), clock_timestamp()), 'UTC');
    loop
        -- What is skipped has to be counted over the whole range.
        v_lower_id := case
            when v_skipped > 0 or v_months > 200 then v_from_id
            else greatest(pgtrail.uuid7_floor(v_month), v_from_id)
        end;
        execute format(
            'select array(select id from %s where %I = %L and id >= %L and id < %L%s '
            'order by id desc offset %s limit %s)',
            page.trail, page.organisation_column, page.organisation_id, v_lower_id, v_upper_id, v_conditions,
            v_skipped, page.page_size + 1 - cardinality(v_ids))
        into v_found;
        v_ids := v_ids || v_found;
        exit when cardinality(v_ids) > page.page_size or v_lower_id = v_from_id;
        v_upper_id := v_lower_id;
        v_months := v_months * 8;
        v_month := v_month - make_interval(months => v_months);
    end loop;

    return query
    select entry.id,
        case
            when entry.place = page.page_size and cardinality(v_ids) > page.page_size
                then pgtrail.encode_cursor(entry.id, v_context)
        end
    from unnest(v_ids[:page.page_size]) with ordinality as entry (id, place);
end;
$$;

revoke all on function pgtrail.page from public, anon;
grant execute on function pgtrail.page to authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.page is
    'Returns the ids of one page of an organisation''s entries in a trail, newest first, and with the last of them the '
    'cursor of the next page, when there is one: what all paged RPCs share. Reads as the caller. rpc and filters, an '
    'object of columns and the values they must equal (null: any), bind the cursor. Raises 22023 for bad arguments, '
    '42501 when the caller may not read the organisation, 22P02 for a cursor that does not belong here.';
