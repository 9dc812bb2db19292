import type { ClientBase } from "pg";

/**
 * One fact of the catalog: that an object, a property or a privilege exists.
 * Two databases have the same schema when they have the same facts.
 */
export interface CatalogFact {
  /** schema, table, type, label, domain, column, default, not null, constraint, index, trigger, policy, function, view, row security, privilege */
  readonly kind: string;
  /** Identity within the kind, such as `public.audit_log.refuse_change_of_row`. */
  readonly name: string;
  /** Statement that makes it as it is; of a function the SHA-256 of that, in hexadecimal. */
  readonly definition: string;
}

/** A fact of the database that was read. */
export interface FoundFact extends CatalogFact {
  /** Statement that takes it away; null where none can. */
  readonly remove: string | null;
}

/** What tells facts apart. */
export function factKey({ kind, name }: CatalogFact): string {
  return `${kind} ${name}`;
}

/**
 * Reads everything that belongs to pgtrail_owner in public and pgtrail, and the privileges on it.
 *
 * Left out: partitions (they depend on the date; the checks of trails look at them), the query of pgtrail.membership (a team may replace it) and indexes behind constraints.
 * NOT NULL constraints of Postgres 18 are left out too: the column says it on every version.
 */
const catalogQuery = `
with owned as (
    select class.oid, class.relkind, class.relname, class.relrowsecurity, class.relacl, class.relowner,
        class.relispartition, format('%I.%I', namespace.nspname, class.relname) as name
    from pg_catalog.pg_class as class
    join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname in ('public', 'pgtrail')
        and class.relkind in ('r', 'p', 'v')
        and class.relowner = 'pgtrail_owner'::regrole
),
routine as (
    select proc.oid, proc.proacl, proc.proowner,
        format('%I.%I(%s)', namespace.nspname, proc.proname, pg_get_function_identity_arguments(proc.oid)) as name,
        format('%I.%I(%s)', namespace.nspname, proc.proname, oidvectortypes(proc.proargtypes)) as signature
    from pg_catalog.pg_proc as proc
    join pg_catalog.pg_namespace as namespace on namespace.oid = proc.pronamespace
    where namespace.nspname in ('public', 'pgtrail') and proc.proowner = 'pgtrail_owner'::regrole
),
space as (
    select oid, nspname, nspowner, nspacl
    from pg_catalog.pg_namespace
    where nspname in ('pgtrail', 'pgtrail_partitions')
),
acl as (
    select 'schema ' || quote_ident(nspname) as object, '' as columns, nspowner as owner, item.*
    from space, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as item
    union all
    select 'table ' || name, '', relowner, item.*
    from owned, aclexplode(coalesce(relacl, acldefault('r', relowner))) as item
    union all
    select 'table ' || owned.name, format(' (%I)', attribute.attname), owned.relowner, item.*
    from owned
    join pg_catalog.pg_attribute as attribute on attribute.attrelid = owned.oid and attribute.attacl is not null,
        aclexplode(attribute.attacl) as item
    union all
    select 'function ' || signature, '', proowner, item.*
    from routine, aclexplode(coalesce(proacl, acldefault('f', proowner))) as item
)
select 'schema' as kind, nspname::text as name,
    format('create schema %I authorization pgtrail_owner;', nspname) as definition,
    format('drop schema %I;', nspname) as remove
from space
union all
select 'table', name,
    format('create table %s (...)%s;', name, case when relkind = 'p' then ' partition by ' || pg_get_partkeydef(oid) end),
    format('drop table %s;', name)
from owned
where relkind in ('r', 'p')
union all
select 'view', name, format('create view %s as ...;', name), format('drop view %s;', name)
from owned
where relkind = 'v'
union all
select 'column', format('%s.%I', owned.name, attribute.attname),
    format('alter table %s add column %I %s%s;', owned.name, attribute.attname,
        format_type(attribute.atttypid, attribute.atttypmod),
        case when attribute.attgenerated = 's'
            then format(' generated always as (%s) stored', pg_get_expr(expression.adbin, expression.adrelid))
        end),
    format('alter table %s drop column %I;', owned.name, attribute.attname)
from owned
join pg_catalog.pg_attribute as attribute
    on attribute.attrelid = owned.oid and attribute.attnum > 0 and not attribute.attisdropped
left join pg_catalog.pg_attrdef as expression
    on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
union all
select 'default', format('%s.%I', owned.name, attribute.attname),
    format('alter table %s alter column %I set default %s;', owned.name, attribute.attname,
        pg_get_expr(expression.adbin, expression.adrelid)),
    format('alter table %s alter column %I drop default;', owned.name, attribute.attname)
from owned
join pg_catalog.pg_attribute as attribute on attribute.attrelid = owned.oid and attribute.attgenerated = ''
join pg_catalog.pg_attrdef as expression
    on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
-- The era of a trail grows with every restore into another cluster.
where not (attribute.attname = 'era' and owned.relkind = 'p')
union all
select 'not null', format('%s.%I', owned.name, attribute.attname),
    format('alter table %s alter column %I set not null;', owned.name, attribute.attname),
    format('alter table %s alter column %I drop not null;', owned.name, attribute.attname)
from owned
join pg_catalog.pg_attribute as attribute
    on attribute.attrelid = owned.oid and attribute.attnum > 0 and attribute.attnotnull and not attribute.attisdropped
union all
select 'constraint', format('%s.%I', owned.name, con.conname),
    format('alter table %s add constraint %I %s;', owned.name, con.conname, pg_get_constraintdef(con.oid)),
    format('alter table %s drop constraint %I;', owned.name, con.conname)
from owned
join pg_catalog.pg_constraint as con on con.conrelid = owned.oid and con.contype in ('c', 'p', 'u', 'f', 'x')
union all
select 'domain', format('%I.%I', namespace.nspname, domain.typname),
    format('create domain %I.%I as %s%s;', namespace.nspname, domain.typname, format_type(domain.typbasetype, domain.typtypmod),
        (select string_agg(format(' constraint %I %s', con.conname, pg_get_constraintdef(con.oid)), '' order by con.conname)
            from pg_catalog.pg_constraint as con where con.contypid = domain.oid)),
    format('drop domain %I.%I;', namespace.nspname, domain.typname)
from pg_catalog.pg_type as domain
join pg_catalog.pg_namespace as namespace on namespace.oid = domain.typnamespace
where namespace.nspname in ('public', 'pgtrail') and domain.typtype = 'd' and domain.typowner = 'pgtrail_owner'::regrole
union all
select 'type', composite.oid::regtype::text,
    format('create type %s as (%s);', composite.oid::regtype, string_agg(
        format('%I %s', attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)), ', ' order by attribute.attnum)),
    format('drop type %s;', composite.oid::regtype)
from pg_catalog.pg_type as composite
join pg_catalog.pg_class as class on class.oid = composite.typrelid and class.relkind = 'c'
join pg_catalog.pg_attribute as attribute on attribute.attrelid = class.oid
where composite.typnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace) and composite.typowner = 'pgtrail_owner'::regrole
group by composite.oid
union all
-- A layer may add labels to a type of another one.
select 'label', format('%s.%I', enumeration.oid::regtype, label.enumlabel),
    format('alter type %s add value %L;', enumeration.oid::regtype, label.enumlabel), null
from pg_catalog.pg_type as enumeration
join pg_catalog.pg_enum as label on label.enumtypid = enumeration.oid
where enumeration.typnamespace in ('public'::regnamespace, 'pgtrail'::regnamespace) and enumeration.typowner = 'pgtrail_owner'::regrole
union all
select 'index', format('%s.%I', owned.name, index_class.relname),
    pg_get_indexdef(index.indexrelid) || ';',
    format('drop index %s;', index.indexrelid::regclass)
from owned
join pg_catalog.pg_index as index on index.indrelid = owned.oid
join pg_catalog.pg_class as index_class on index_class.oid = index.indexrelid
where not exists (select from pg_catalog.pg_constraint as con where con.conindid = index.indexrelid)
union all
select 'trigger', format('%s.%I', owned.name, trigger.tgname),
    pg_get_triggerdef(trigger.oid) || ';' || case trigger.tgenabled
        when 'O' then ''
        else format(' alter table %s %s trigger %I;', owned.name,
            case trigger.tgenabled when 'A' then 'enable always' when 'R' then 'enable replica' else 'disable' end,
            trigger.tgname)
    end,
    format('drop trigger %I on %s;', trigger.tgname, owned.name)
from owned
join pg_catalog.pg_trigger as trigger on trigger.tgrelid = owned.oid and not trigger.tgisinternal
union all
select 'row security', name,
    format('alter table %s enable row level security;', name),
    format('alter table %s disable row level security;', name)
from owned
where relrowsecurity
union all
select 'policy', format('%s.%I', owned.name, policy.polname),
    format('create policy %I on %s as %s for %s to %s%s%s;', policy.polname, owned.name,
        case when policy.polpermissive then 'permissive' else 'restrictive' end,
        case policy.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        (select string_agg(case role when 0 then 'public' else role::regrole::text end, ', ' order by role::regrole::text)
            from unnest(policy.polroles) as role),
        ' using (' || pg_get_expr(policy.polqual, policy.polrelid) || ')',
        ' with check (' || pg_get_expr(policy.polwithcheck, policy.polrelid) || ')'),
    format('drop policy %I on %s;', policy.polname, owned.name)
from owned
join pg_catalog.pg_policy as policy on policy.polrelid = owned.oid
union all
select 'function', signature,
    encode(sha256(convert_to(pg_get_functiondef(oid), 'UTF8')), 'hex'),
    format('drop function %s;', signature)
from routine
union all
select 'privilege', grants.text || ' to ' || grants.grantee,
    format('grant %s to %s%s;', grants.text, grants.grantee, case when grants.is_grantable then ' with grant option' end),
    format('revoke %s from %s;', grants.text, grants.grantee)
from (
    select lower(acl.privilege_type) || acl.columns || ' on ' || acl.object as text,
        case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end as grantee,
        acl.is_grantable
    from acl
    where acl.grantee <> acl.owner
) as grants
order by kind, name, definition
`;

/** Reads the catalog facts of a database, in a fixed order. Needs no privilege beyond CONNECT. */
export async function readCatalog(client: ClientBase): Promise<FoundFact[]> {
  // Postgres prints the schema of what lies outside the search path.
  const { rows: before } = await client.query<{ path: string }>(
    "select current_setting('search_path') as path, set_config('search_path', 'pg_catalog', false)",
  );
  const { rows } = await client.query<FoundFact>(catalogQuery);
  await client.query("select set_config('search_path', $1, false)", [before[0]?.path]);
  return rows;
}
