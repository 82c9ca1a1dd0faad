-- Requests of plans and operators: nothing is kept, the trigger answers. Inside a function that runs with its owner's
-- rights it is no longer known who called it. So the functions with which plans and operators ask something of the core
-- run with the caller's rights, and write here: a default, which nobody may set, says who it is, and the trigger
-- refuses what is not his plan's.

drop view if exists headgate._requests cascade;

create view headgate._requests as
select null::text as caller, null::text as function, null::jsonb as arguments, null::jsonb as result
where false;

alter view headgate._requests alter column caller set default current_user;

create trigger request_is_answered
instead of insert on headgate._requests
for each row
execute function headgate._answer();

comment on view headgate._requests is
    'Calls of core functions by plan roles: an insert is answered at once, and no row is kept.';
comment on column headgate._requests.caller is
    'The calling role; set by the system only.';
comment on column headgate._requests.function is 'The core function to call.';
comment on column headgate._requests.arguments is 'Its arguments by name.';
comment on column headgate._requests.result is 'The row it returned.';
