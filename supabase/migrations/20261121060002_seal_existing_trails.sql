-- Gives the trails that exist already what the log needs of them: an index on tx_id and a format of their entries.
set role pgtrail_owner;

select pgtrail.create_trail(trail.relation, trail.organisation_column, trail.erasable, trail.digested)
from pgtrail.trail;

reset role;
