select pgtrail.create_trail('public.audit_log', 'organisation_id',
    erasable => '{changes,details,ip_address,user_agent}');
select pgtrail.set_summary('public.audit_log', 'entry.action');

-- Who belongs to which organisation decides who may read its entries. Tables of the application's own, in place of
-- ours, are left to its choice. What is tracked from the start is no event: a new trail is empty.

select pgtrail._attach_capture(row(
    class.oid, 'public.' || class.relname, case class.relname when 'organisations' then 'id' else 'organisation_id' end,
    '{}', '{}', 'block', 'statement', null, null
)::pgtrail.tracked_table)
from pg_catalog.pg_class as class
where class.relnamespace = 'public'::regnamespace
    and class.relname in ('organisations', 'organisation_members')
    and class.relkind = 'r'
    and class.relowner = 'pgtrail_owner'::regrole;
