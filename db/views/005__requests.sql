-- Calls of core functions by plans and operators: a trigger answers each insert, and no row is kept. A function that
-- runs with its owner's rights does not know its caller. So the functions by which plans and operators call the core
-- run with the caller's rights and insert here: a default, which no role may set, names the caller, and the trigger
-- refuses what does not belong to the caller's plan.

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
