import type { ClientBase } from "pg";
import { examineDrift } from "./drift.js";

/** Something that is not as it should be. */
export interface Finding {
  /** schema drift, guards, row security, partitions, privileges, membership or roles */
  readonly check: string;
  /** `error` makes the database unsafe or unlike its schema; `warning` is worth a look. */
  readonly level: "error" | "warning";
  /** What was found, in one sentence. */
  readonly message: string;
  /** The statement that mends it, to be run after `set role pgtrail_owner`; null when a person must decide. */
  readonly fix: string | null;
  /** The file of this package that the statement is, when it is one. */
  readonly file?: string;
}

/** Names of the checks, in the order in which they are reported. */
export const checks = [
  "schema drift",
  "guards",
  "row security",
  "partitions",
  "privileges",
  "membership",
  "roles",
] as const;

/**
 * Examines an installed pgtrail: the schema against the one this package was released with, then every registered
 * trail, whoever made it. Reads only. Never repairs.
 */
export async function examine(client: ClientBase): Promise<Finding[]> {
  const installed = await client.query<{ installed: boolean }>(
    "select to_regclass('pgtrail.trail') is not null as installed",
  );
  if (!installed.rows[0]?.installed) {
    return [
      {
        check: "schema drift",
        level: "error",
        message: "pgtrail is not installed in this database",
        fix: "pgtrail migrate --database-url <url>",
      },
    ];
  }
  const { rows } = await client.query<Finding>(trailQuery);
  const findings = [...(await examineDrift(client)), ...rows, ...(await examineMembership(client))];
  return checks.flatMap((check) => findings.filter((finding) => finding.check === check));
}

/** Checks that hold for every registered trail and each of its partitions. Returns rows in the shape of Finding. */
const trailQuery = `
with trail as (
    select trail.*, class.relname, class.relowner, class.relrowsecurity
    from pgtrail.trail
    join pg_catalog.pg_class as class on class.oid = trail.relation
),
part as (
    select trail.relation as trail, class.oid, class.relname, class.relacl, class.relowner, class.relrowsecurity
    from trail
    join pg_catalog.pg_inherits as inheritance on inheritance.inhparent = trail.relation
    join pg_catalog.pg_class as class on class.oid = inheritance.inhrelid
),
guarded as (
    select relation as oid, relation::text as name from trail
    union all
    select oid, 'pgtrail_partitions.' || quote_ident(relname) from part
),
expected_guard as (
    select guarded.oid, guarded.name, guard.name as trigger,
        format('create trigger %I before %s on %s for each %s execute function pgtrail.tg__refuse_change();',
            guard.name, guard.events, guarded.name, guard.level) as create,
        format('alter table %s enable always trigger %I;', guarded.name, guard.name) as enable
    from guarded, (values
        ('refuse_change_of_statement', 'update or delete or truncate', 'statement'),
        ('refuse_change_of_row', 'update or delete', 'row')
    ) as guard (name, events, level)
)
select 'guards' as check, 'error' as level,
    format('%s: trigger %s %s', expected.name, expected.trigger,
        case when actual.oid is null then 'is missing' else 'is not enabled always' end) as message,
    case when actual.oid is null then expected.create || ' ' || expected.enable else expected.enable end as fix
from expected_guard as expected
left join pg_catalog.pg_trigger as actual
    on actual.tgrelid = expected.oid and actual.tgname = expected.trigger
    and actual.tgfoid = 'pgtrail.tg__refuse_change()'::regprocedure
where actual.tgenabled is distinct from 'A'
union all
select 'row security', 'error',
    format('%s: row level security is off', guarded.name),
    format('alter table %s enable row level security;', guarded.name)
from guarded
join pg_catalog.pg_class as class on class.oid = guarded.oid
where not class.relrowsecurity
union all
select 'row security', 'error',
    format('pgtrail_partitions.%I: policy %I lets somebody read around the trail', part.relname, policy.polname),
    format('drop policy %I on pgtrail_partitions.%I;', policy.polname, part.relname)
from part
join pg_catalog.pg_policy as policy on policy.polrelid = part.oid
where pg_get_expr(policy.polqual, policy.polrelid) is distinct from 'false'
union all
select 'partitions', 'error',
    format('%s: no partition for %s', trail.relation, to_char(month, 'YYYY-MM')),
    format('select pgtrail.ensure_partitions(%L, now(), now() + interval ''13 months'');', trail.relation::text)
from trail,
    generate_series(date_trunc('month', now() at time zone 'UTC'),
        date_trunc('month', now() at time zone 'UTC') + interval '2 months', interval '1 month') as month
where not exists (
    select from part
    where part.trail = trail.relation and part.relname = trail.relname || to_char(month, '_YYYY_MM'))
union all
select 'partitions', 'error',
    format('%s has a default partition', trail.relation),
    format('alter table %s detach partition %s;', trail.relation, partitioned.partdefid::regclass)
from trail
join pg_catalog.pg_partitioned_table as partitioned on partitioned.partrelid = trail.relation
where partitioned.partdefid <> 0
union all
select 'privileges', 'error',
    format('pgtrail_partitions.%I: %s has %s', part.relname,
        case item.grantee when 0 then 'public' else item.grantee::regrole::text end, lower(item.privilege_type)),
    format('revoke %s on pgtrail_partitions.%I from %s;', lower(item.privilege_type), part.relname,
        case item.grantee when 0 then 'public' else item.grantee::regrole::text end)
from part, aclexplode(part.relacl) as item
where item.grantee <> part.relowner
union all
select 'privileges', 'error',
    format('%s: %s has %s', trail.relation,
        case item.grantee when 0 then 'public' else item.grantee::regrole::text end, lower(item.privilege_type)),
    format('revoke %s on %s from %s;', lower(item.privilege_type), trail.relation,
        case item.grantee when 0 then 'public' else item.grantee::regrole::text end)
from trail
join pg_catalog.pg_class as class on class.oid = trail.relation, aclexplode(class.relacl) as item
where item.grantee <> class.relowner
    and item.privilege_type <> 'SELECT'
    -- The door of purges and erasures.
    and not (item.grantee = to_regrole('pgtrail_purger') and item.privilege_type in ('UPDATE', 'DELETE'))
union all
select 'privileges', 'error',
    format('%s: pgtrail_owner does not own it, %s does', relation.name, relation.owner::regrole),
    format('alter table %s owner to pgtrail_owner;', relation.name)
from (
    select relation::text as name, relowner as owner from trail
    union all
    select 'pgtrail_partitions.' || quote_ident(relname), relowner from part
) as relation
where relation.owner <> 'pgtrail_owner'::regrole
union all
select 'roles', 'error',
    format('%s may act as %s', member.rolname, closed.rolname),
    format('revoke %I from %I;', closed.rolname, member.rolname)
from pg_catalog.pg_roles as member
join pg_catalog.pg_roles as closed on closed.rolname in ('pgtrail_owner', 'pgtrail_purger')
where member.rolname in ('anon', 'authenticated', 'authenticator', 'service_role', 'pgtrail_auditor')
    and pg_has_role(member.oid, closed.oid, 'member')
    and not member.rolsuper
union all
select 'roles', 'error', format('%s may log in', rolname), format('alter role %I nologin;', rolname)
from pg_catalog.pg_roles
where rolname in ('pgtrail_owner', 'pgtrail_purger') and rolcanlogin
`;

/** The sources of pgtrail.membership must be readable for pgtrail_owner, or the view is silently empty. */
async function examineMembership(client: ClientBase): Promise<Finding[]> {
  const { rows } = await client.query<Finding>(`
with source as (
    select distinct class.oid, class.relowner, class.relrowsecurity, class.relforcerowsecurity,
        class.oid::regclass::text as name
    from pg_catalog.pg_rewrite as rule
    join pg_catalog.pg_depend as dependency
        on dependency.classid = 'pg_rewrite'::regclass and dependency.objid = rule.oid
        and dependency.refclassid = 'pg_class'::regclass
    join pg_catalog.pg_class as class on class.oid = dependency.refobjid
    where rule.ev_class = 'pgtrail.membership'::regclass
        and dependency.refobjid <> rule.ev_class
)
select 'membership' as check, 'error' as level,
    'pgtrail.membership reads no table: nobody can read the entries of an organisation' as message,
    'create or replace view pgtrail.membership as select user_id::text, organisation_id, role::text from <your members table>;' as fix
where not exists (select from source)
union all
select 'membership', 'error',
    format('pgtrail_owner may not select from %s, which pgtrail.membership reads', name),
    format('grant select on %s to pgtrail_owner;', name)
from source
where not has_table_privilege('pgtrail_owner', oid, 'select')
union all
select 'membership', 'error',
    format('row level security hides the rows of %s from pgtrail_owner: the view is empty without an error', name),
    format('create policy select_pgtrail on %s for select to pgtrail_owner using (true);', name)
from source
where relrowsecurity
    and (relforcerowsecurity or not pg_has_role('pgtrail_owner', relowner, 'usage'))
    and not exists (
        select from pg_catalog.pg_policy as policy, unnest(policy.polroles) as role
        where policy.polrelid = source.oid
            and policy.polpermissive
            and policy.polcmd in ('r', '*')
            and case role when 0 then true else pg_has_role('pgtrail_owner', role, 'usage') end
            and pg_get_expr(policy.polqual, policy.polrelid) = 'true')
`);
  return rows;
}
