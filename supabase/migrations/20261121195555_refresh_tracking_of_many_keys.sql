-- What was tracked before is captured as it is now made.
set role pgtrail_owner;

select pgtrail.refresh_tracking();

reset role;
