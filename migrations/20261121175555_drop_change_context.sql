set role pgtrail_owner;

-- Made again with other columns.
drop function pgtrail._change_context();

reset role;
