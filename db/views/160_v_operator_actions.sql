-- Actions of operators, newest first.

drop view if exists headgate.v_operator_actions cascade;

create view headgate.v_operator_actions as
select a.acted_at, a.operator, a.client, a.action, a.arguments, a.changed
from headgate.operator_actions as a
order by a.action_id desc;

comment on view headgate.v_operator_actions is 'Actions of operators, newest first.';
comment on column headgate.v_operator_actions.acted_at is 'When.';
comment on column headgate.v_operator_actions.operator is 'The database user who had logged in.';
comment on column headgate.v_operator_actions.client is 'The application name of the session.';
comment on column headgate.v_operator_actions.action is 'The function that was called.';
comment on column headgate.v_operator_actions.arguments is 'Its arguments.';
comment on column headgate.v_operator_actions.changed is 'What it changed, in counts.';
