-- The settings are those with which entries are encoded: a commitment is over the same text.
create or replace function pgtrail.erase(trail regclass, id uuid, columns name[], reason text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'iso_8601' set extra_float_digits = 1
    set bytea_output = 'hex'
as $$
declare
    v_trail pgtrail.trail;
    v_organisation_id uuid;
    v_at timestamptz;
    v_salt uuid;
    v_column name;
    v_value text;
    v_derived bytea;
    v_commitment bytea;
    v_erases boolean;
begin
    select registered.* into v_trail
    from pgtrail.trail as registered
    where registered.trail_name = pgtrail.trail_name(erase.trail);

    if coalesce(cardinality(erase.columns), 0) = 0 or not erase.columns <@ v_trail.erasable then
        raise exception 'these columns cannot be erased'
            using errcode = 'invalid_parameter_value',
                  detail = format('asked for %s, erasable are %s', coalesce(erase.columns::text, 'none'),
                                  v_trail.erasable),
                  hint = 'Which columns of a trail are erasable is decided when it is created.';
    elsif coalesce(erase.reason, '') = '' then
        raise exception 'an erasure needs a reason'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name the request; do not repeat the data.';
    end if;

    -- Sealing waits, so that an entry is encoded before or after, not in between.
    perform from pgtrail.log as head where head.log_id = 1 for update;

    execute format(
        'select %I, %I, erasure_salt from %s where id = $1',
        v_trail.organisation_column, v_trail.time_column, v_trail.relation)
    into v_organisation_id, v_at, v_salt
    using erase.id;
    if v_at is null then
        raise exception 'there is no such entry'
            using errcode = 'PT404',
                  detail = format('entry %s of %s', erase.id, v_trail.trail_name),
                  hint = 'It may have been removed under a retention policy.';
    elsif pgtrail._is_held(v_trail.trail_name, v_organisation_id, v_at) then
        raise exception 'the entry is under a legal hold'
            using errcode = 'TR004',
                  detail = format('entry %s of %s', erase.id, v_trail.trail_name),
                  hint = 'Release the hold first: see pgtrail.legal_hold.';
    end if;

    -- Nothing was there, or it is gone already.
    execute format(
        'select num_nonnulls(%s) > 0 from %s where id = $1',
        (select string_agg(quote_ident(part.name), ', ') from unnest(erase.columns) as part (name)), v_trail.relation)
    into v_erases
    using erase.id;
    if not v_erases then
        return;
    end if;

    foreach v_column in array v_trail.erasable loop
        execute format('select %I::text from %s where id = $1', v_column, v_trail.relation)
        into v_value
        using erase.id;
        continue when v_value is null;

        execute 'select ' || pgtrail._derived_salt_expression('$1', v_column) into v_derived using v_salt;
        v_derived := coalesce(
            v_derived,
            (
                select kept.salt
                from pgtrail.erasure as kept
                where kept.trail_name = v_trail.trail_name
                    and kept.entry_id = erase.id
                    and kept.column_name = v_column
            ));
        execute 'select ' || pgtrail._commitment_expression('$1', '$2') into v_commitment using v_derived, v_value;
        insert into pgtrail.erasure as kept (trail_name, entry_id, column_name, commitment, salt, reason)
        values (
            v_trail.trail_name, erase.id, v_column,
            case when v_column = any (erase.columns) then v_commitment end,
            case when v_column <> all (erase.columns) then v_derived end,
            case when v_column = any (erase.columns) then erase.reason end)
        on conflict on constraint erasure_pkey do update
        set commitment = excluded.commitment,
            salt = excluded.salt,
            reason = excluded.reason,
            erased_at = clock_timestamp()
        where excluded.commitment is not null;
    end loop;

    perform pgtrail._erase_columns(v_trail.relation, erase.id, erase.columns);
    perform pgtrail._record_act('entry.erased', v_organisation_id, jsonb_build_object(
        'trail', v_trail.trail_name, 'entry_id', erase.id, 'columns', erase.columns, 'reason', erase.reason));
end;
$$;

revoke all on function pgtrail.erase from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.erase is
    'Erases columns of an entry: their values and the salt of the entry are gone, and what the proof of the entry '
    'needs is kept in pgtrail.erasure. Audited, with the reason; nothing happens when there is nothing to erase. '
    'Raises 22023 (no trail, columns that are not erasable, no reason), PT404 (no such entry), TR004 (under a legal '
    'hold).';
