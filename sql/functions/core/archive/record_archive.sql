create or replace function pgtrail.record_archive(
    trail     regclass,
    month     date,
    entries   bigint,
    tree_size bigint,
    sha256    bytea,
    location  text
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_trail text := pgtrail.trail_name(record_archive.trail);
    v_sealed bigint;
    v_tree_size bigint;
begin
    perform pgtrail._require_month(record_archive.month);
    if (octet_length(record_archive.sha256) = 32) is not true then
        raise exception 'the digest of an archive has 32 bytes'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s', coalesce(octet_length(record_archive.sha256)::text, 'null')),
                  hint = 'Send the SHA-256 of the file.';
    elsif coalesce(record_archive.location, '') = '' then
        raise exception 'an archive needs a location'
            using errcode = 'invalid_parameter_value',
                  hint = 'Say where the file is.';
    end if;

    -- The lock of the sealer and of purges: what is counted stays as it is.
    select head.tree_size into strict v_tree_size from pgtrail.log as head where head.log_id = 1 for update;
    perform pgtrail._require_tree_size(record_archive.tree_size, v_tree_size);
    v_sealed := pgtrail._sealed_entry_count(v_trail, record_archive.month);
    if (record_archive.entries > 0 and record_archive.entries = v_sealed) is not true then
        raise exception 'an archive has the entries that the log has, no more and no less'
            using errcode = 'invalid_parameter_value',
                  detail = format('got %s, the log has %s of %s', coalesce(record_archive.entries::text, 'null'),
                                  v_sealed, to_char(record_archive.month, 'YYYY-MM')),
                  hint = 'Archive the month again.';
    end if;

    insert into pgtrail.archive as kept (trail_name, month, entries, tree_size, sha256, location)
    values (
        v_trail, record_archive.month, record_archive.entries, record_archive.tree_size, record_archive.sha256,
        record_archive.location)
    on conflict on constraint archive_pkey do update
    set entries = excluded.entries,
        tree_size = excluded.tree_size,
        sha256 = excluded.sha256,
        location = excluded.location,
        archived_at = clock_timestamp();

    perform pgtrail._record_act('archive.recorded', null, jsonb_build_object(
        'trail', v_trail, 'month', record_archive.month, 'entries', record_archive.entries,
        'tree_size', record_archive.tree_size, 'sha256', encode(record_archive.sha256, 'hex'),
        'location', record_archive.location));
end;
$$;

revoke all on function pgtrail.record_archive from public, anon, authenticated, service_role, pgtrail_auditor;
comment on function pgtrail.record_archive is
    'Notes that a trail''s month was archived in a file, which was verified against the tree of tree_size: from then '
    'on retention may drop the month. sha256 is the digest of the file. Once more takes the place of the first. '
    'Audited, so that the log has the digest. Raises 22023, also when entries is not what the log has.';
