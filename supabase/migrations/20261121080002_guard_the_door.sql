-- Gives the trails that exist already the policy and the privileges of the purger.
set role pgtrail_owner;

select pgtrail.create_trail(trail.relation, trail.organisation_column, trail.erasable, trail.digested)
from pgtrail.trail;

reset role;
