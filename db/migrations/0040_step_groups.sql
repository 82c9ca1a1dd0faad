-- Groups that operators add to a plan's steps.

create table headgate.step_groups (
    pipeline_id bigint not null references headgate.pipelines,
    step text not null,
    group_key text not null,
    added_at timestamptz not null,
    constraint step_groups_pkey primary key (pipeline_id, step, group_key)
);

comment on table headgate.step_groups is
    'A group that an operator has added to a step; migrate adds it again to what the plan''s rows say.';
comment on column headgate.step_groups.pipeline_id is 'The pipeline.';
comment on column headgate.step_groups.step is 'The step; a name, because a plan''s rows may be replaced.';
comment on column headgate.step_groups.group_key is 'The group.';
comment on column headgate.step_groups.added_at is 'When it was added.';

comment on column headgate.pipeline_parameters.meanings is
    'mode: value to list of operations (absent: all). groups: {"attribute": name} whose values are accepted as well as '
    'group keys; "advice": what to do about a group that no step covers.';
