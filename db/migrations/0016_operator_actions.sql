-- Operators' actions: who, when and what. Append-only, removed by headgate.retain like other history.

create table headgate.operator_actions (
    action_id bigint generated always as identity,
    acted_at timestamptz not null,
    operator text not null,
    client text not null,
    action text not null,
    arguments jsonb not null,
    changed jsonb not null,
    constraint operator_actions_pkey primary key (action_id)
);

comment on table headgate.operator_actions is 'Actions of operators, one row per successful call.';
comment on column headgate.operator_actions.action_id is 'Surrogate key.';
comment on column headgate.operator_actions.acted_at is 'When, by headgate.clock().';
comment on column headgate.operator_actions.operator is 'The database user who had logged in.';
comment on column headgate.operator_actions.client is 'The application name of the session.';
comment on column headgate.operator_actions.action is 'The function that was called.';
comment on column headgate.operator_actions.arguments is 'Its arguments.';
comment on column headgate.operator_actions.changed is 'What it returned: what was changed, in counts.';
