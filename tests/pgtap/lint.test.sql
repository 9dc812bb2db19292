-- The rules of CONVENTIONS.md that a catalog can answer. A failing assertion lists the offenders.
begin;
select plan(20);

create temporary view our_functions as
select function.*, function.oid::regprocedure::text as signature
from pg_proc as function
where function.pronamespace in ('pgtrail'::regnamespace, 'public'::regnamespace)
    and pg_get_userbyid(function.proowner) in ('pgtrail_owner', 'pgtrail_purger');

create temporary view our_relations as
select relation.*, relation.oid::regclass::text as name
from pg_class as relation
where relation.relnamespace in ('pgtrail'::regnamespace, 'public'::regnamespace)
    and pg_get_userbyid(relation.relowner) = 'pgtrail_owner'
    and relation.relkind in ('r', 'p', 'v', 'm');

create temporary view our_tables as
select * from our_relations where relkind in ('r', 'p');

create temporary view our_partitions as
select relation.*, relation.oid::regclass::text as name
from pg_class as relation
where relation.relnamespace = 'pgtrail_partitions'::regnamespace
    and relation.relkind in ('r', 'p');

-- Table and column privileges of everybody but the owner, public (0) included.
create temporary view privileges_of_others as
select relation.oid as relation, privilege.grantee, privilege.privilege_type
from pg_class as relation
cross join lateral aclexplode(coalesce(relation.relacl, acldefault('r', relation.relowner))) as privilege
where privilege.grantee <> relation.relowner
union all
select attribute.attrelid, privilege.grantee, privilege.privilege_type
from pg_attribute as attribute
join pg_class as relation on relation.oid = attribute.attrelid
cross join lateral aclexplode(attribute.attacl) as privilege
where privilege.grantee <> relation.relowner;

-- Functions

select isnt_empty('select signature from our_functions', 'there are functions to look at');

select is_empty(
    $$
    select signature from our_functions
    where not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)
        -- A body in SQL-standard form was parsed when the function was made.
        and prosqlbody is null
    $$,
    'every function pins its search_path, temporary objects last, unless its body is parsed already');

select is_empty(
    $$ select signature from our_functions where has_function_privilege('anon', oid, 'execute') $$,
    'no function can be executed by anon, nor by public');

select is_empty(
    $$ select signature from our_functions where obj_description(oid, 'pg_proc') is null $$,
    'every function has a comment');

select is_empty(
    $$
    select signature from our_functions
    where prorettype = 'boolean'::regtype
        and proname !~ '^_?(is|has|may)_'
        -- An act of verification, whose answer is whether it succeeds.
        and proname <> 'verify_checkpoint'
    $$,
    'a predicate begins with is_, has_ or may_');

select is_empty(
    $$
    select signature from our_functions
    where proname ~ '_(query|condition|expression|body)$' and prorettype <> 'text'::regtype
        -- A comment that says so of a function whose name does not.
        or proname !~ '_(query|condition|expression|body)$'
            and prorettype = 'text'::regtype
            and obj_description(oid, 'pg_proc') ~ '^Returns the (SQL expression|query|condition|SELECT)'
    $$,
    'what returns SQL text ends in _query, _condition, _expression or _body');

select is_empty(
    $$
    select signature from our_functions
    where prosecdef
        and pronamespace <> 'pgtrail'::regnamespace
        -- Bounded, and for service_role only: it makes partitions for a backfill through PostgREST.
        and proname <> 'prepare_audit_backfill'
    $$,
    'a definer function lives in pgtrail, behind the exposed schema');

-- Tables and views

select isnt_empty('select name from our_tables', 'there are tables to look at');

select is_empty(
    $$ select name from our_tables where relnamespace = 'public'::regnamespace and not relrowsecurity $$,
    'every table in public has row level security');

select is_empty(
    $$ select name from our_relations where obj_description(oid, 'pg_class') is null $$,
    'every table and view has a comment');

select is_empty(
    $$
    select name from our_tables
    where not exists (select from pg_constraint where conrelid = our_tables.oid and contype = 'p')
    $$,
    'every table has a primary key');

select is_empty(
    $$
    select name from our_relations
    where relkind = 'v'
        and relnamespace = 'public'::regnamespace
        and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)
    $$,
    'every view in public runs with the privileges of its reader');

select is_empty(
    $$
    select our_relations.name, other.privilege_type
    from our_relations
    join privileges_of_others as other on other.relation = our_relations.oid
    where other.grantee in (0, 'anon'::regrole)
    $$,
    'neither anon nor public has a privilege on a table or view');

select is_empty(
    $$
    select our_tables.name, reference.conname
    from our_tables
    join pg_constraint as reference on reference.conrelid = our_tables.oid and reference.contype = 'f'
    where not exists (
        select from pg_index as index
        where index.indrelid = our_tables.oid
            and index.indpred is null
            and (index.indkey::int2[])[0:cardinality(reference.conkey) - 1] @> reference.conkey)
    $$,
    'every foreign key has an index');

-- Trails and their partitions

select isnt_empty('select name from our_partitions', 'there are partitions to look at');

select is_empty(
    $$
    select privilege.grantee, privilege.privilege_type
    from pg_namespace as namespace
    cross join lateral aclexplode(namespace.nspacl) as privilege
    where namespace.nspname = 'pgtrail_partitions'
        and privilege.grantee <> namespace.nspowner
    $$,
    'nobody but the owner may use schema pgtrail_partitions');

select is_empty(
    $$
    select our_partitions.name, other.grantee::regrole, other.privilege_type
    from our_partitions
    join privileges_of_others as other on other.relation = our_partitions.oid
    $$,
    'nobody but the owner has a privilege on a partition');

select is_empty(
    $$
    select name from our_partitions
    where not relrowsecurity
        or array['*, public: false'] is distinct from (
            select array_agg(
                policy.polcmd::text || ', ' || case when policy.polroles = '{0}' then 'public' else policy.polroles::text end
                || ': ' || pg_get_expr(policy.polqual, policy.polrelid))
            from pg_policy as policy
            where policy.polrelid = our_partitions.oid)
    $$,
    'every partition has row level security and one policy, which denies everything to everybody');

select is_empty(
    $$
    select guarded.relation, required.guard
    from (
        select relation from pgtrail.trail
        union
        select inherits.inhrelid::regclass
        from pgtrail.trail
        join pg_inherits as inherits on inherits.inhparent = trail.relation
    ) as guarded
    -- Bits of tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate.
    cross join (values
        ('before update or delete or truncate for each statement', 1 + 2 + 8 + 16 + 32, 2 + 8 + 16 + 32),
        ('before update or delete for each row', 1 + 2 + 8 + 16, 1 + 2 + 8 + 16)
    ) as required (guard, mask, bits)
    where not exists (
        select from pg_trigger as trigger
        where trigger.tgrelid = guarded.relation
            and trigger.tgfoid = 'pgtrail.tg__refuse_change'::regproc
            and trigger.tgtype & required.mask = required.bits
            and trigger.tgenabled = 'A'
            and trigger.tgqual is null
            and trigger.tgattr = '')
    $$,
    'every trail and every partition has both guards, enabled always');

select is_empty(
    $$ select trail_name from pgtrail.trail where to_regclass(relation::text) is null $$,
    'every registered trail exists');

select * from finish();
rollback;
