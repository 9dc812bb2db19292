-- As the migrating role, not as pgtrail_owner: pg_cron runs a job as the role that scheduled it, which must be able to
-- log in. Without pg_cron nothing is scheduled.
select * from pgtrail.schedule_jobs();
