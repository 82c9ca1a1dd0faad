-- A pipeline as rows: its graph of steps and its parameters.

create table headgate.pipelines (
    pipeline_id bigint generated always as identity,
    name text not null,
    description text not null default '',
    is_paused boolean not null default false,
    is_paused_with_dag boolean not null default false,
    is_started_when_due boolean not null default false,
    is_retired boolean not null default false,
    timeout interval,
    after text[] not null default '{}',
    constraint pipelines_pkey primary key (pipeline_id),
    constraint pipelines_name_is_unique unique (name),
    constraint pipeline_name_is_plain check (name ~ '^[A-Za-z][A-Za-z0-9_.-]{0,199}$'),
    constraint pipeline_timeout_is_positive check (timeout > '0')
);

comment on table headgate.pipelines is 'A named graph of steps.';
comment on column headgate.pipelines.pipeline_id is 'Surrogate key.';
comment on column headgate.pipelines.name is 'Its name; Airflow''s dag_id.';
comment on column headgate.pipelines.description is 'Its purpose.';
comment on column headgate.pipelines.is_paused is 'True: nothing of it is sent or claimed until it is resumed.';
comment on column headgate.pipelines.is_paused_with_dag is
    'True: it is paused because its DAG was, and resumes with it. False: it was paused here.';
comment on column headgate.pipelines.is_started_when_due is
    'True: a run starts by itself when something is due for its steps; if a DAG runs it, the run is ordered there.';
comment on column headgate.pipelines.is_retired is
    'True: its plan no longer declares it; the row stays because executions refer to it. It cannot be started.';
comment on column headgate.pipelines.timeout is
    'With driver headgate: a run that has not ended within it ends as failed, with an alert; null: no limit.';
comment on column headgate.pipelines.after is
    'With driver headgate: once a run of each of these pipelines has succeeded for a date, a run starts for that date.';

create table headgate.pipeline_parameters (
    pipeline_id bigint not null references headgate.pipelines,
    name text not null,
    type text not null,
    default_value jsonb not null default 'null',
    allowed text[],
    effect text not null,
    operations text[],
    meanings jsonb,
    description text not null default '',
    constraint pipeline_parameters_pkey primary key (pipeline_id, name),
    constraint parameter_name_is_plain check (name ~ '^[a-z][a-z0-9_]*$'),
    constraint parameter_type_is_known check (type in ('integer', 'text', 'list', 'number', 'boolean', 'json')),
    constraint effect_is_known check (
        effect in ('quota', 'quota_buffer', 'max_assets', 'chunk_size', 'mode', 'groups', 'assets', 'request')
    ),
    constraint numbers_are_integers check (
        (effect in ('quota', 'quota_buffer', 'max_assets', 'chunk_size')) <= (type = 'integer')
    ),
    constraint other_values_are_for_requests check (
        (type in ('number', 'boolean', 'json')) <= (effect = 'request')
    ),
    constraint selections_are_lists check ((effect in ('groups', 'assets')) <= (type = 'list'))
);

comment on table headgate.pipeline_parameters is 'A parameter of a pipeline''s runs, and its effect on the planner.';
comment on column headgate.pipeline_parameters.pipeline_id is 'The pipeline.';
comment on column headgate.pipeline_parameters.name is 'The parameter''s name.';
comment on column headgate.pipeline_parameters.type is
    'integer (not negative), text, list, number, boolean or json.';
comment on column headgate.pipeline_parameters.default_value is
    'Its value when the run does not set it; null: no effect.';
comment on column headgate.pipeline_parameters.allowed is 'The only values it may have; null: any.';
comment on column headgate.pipeline_parameters.effect is
    'quota and quota_buffer (units a window may spend, for this run), max_assets, '
    'chunk_size, mode (which operations), groups, assets, request (templates only).';
comment on column headgate.pipeline_parameters.operations is
    'The operations that max_assets and chunk_size apply to; null: all.';
comment on column headgate.pipeline_parameters.meanings is
    'mode: value to list of operations (absent: all). groups: {"attribute": name} whose values '
    'are accepted as well as group keys; "advice": what to do about a group that no step covers.';
comment on column headgate.pipeline_parameters.description is 'What it does, for people.';

create table headgate.pipeline_steps (
    pipeline_id bigint not null references headgate.pipelines,
    step text not null,
    position integer not null,
    kind text not null,
    depends_on text[] not null default '{}',
    trigger_rule text not null default 'all_success',
    function text,
    operations text[],
    group_keys text[],
    max_failed_share real not null default 0.05,
    may_fail boolean not null default false,
    condition jsonpath,
    retries smallint not null default 0,
    retry_delay interval not null default '5 minutes',
    retry_backoff real not null default 1,
    timeout interval,
    max_waves smallint not null default 1,
    constraint pipeline_steps_pkey primary key (pipeline_id, step),
    constraint position_is_unique unique (pipeline_id, position) deferrable initially deferred,
    constraint step_name_is_plain check (step ~ '^[A-Za-z][A-Za-z0-9_.-]{0,199}$'),
    constraint step_kind_is_known check (kind in ('function', 'fan_out')),
    constraint function_step_has_its_function check ((kind = 'function') = (function is not null)),
    constraint fan_out_has_its_operations check ((kind = 'fan_out') = (operations is not null)),
    constraint trigger_rule_is_known check (
        trigger_rule in (
            'all_success', 'all_done', 'one_success', 'one_failed', 'all_failed', 'none_failed',
            'none_failed_min_one_success'
        )
    ),
    constraint max_failed_share_is_a_share check (max_failed_share between 0 and 1),
    constraint retries_in_range check (retries between 0 and 100),
    constraint retry_delay_in_range check (retry_delay between '0' and '30 days'),
    constraint retry_backoff_in_range check (retry_backoff between 1 and 10),
    constraint max_waves_in_range check (max_waves between 1 and 1000),
    constraint step_timeout_is_positive check (timeout > '0')
);

comment on table headgate.pipeline_steps is 'A step: one stored function, or a fan-out over due assets.';
comment on column headgate.pipeline_steps.pipeline_id is 'The pipeline.';
comment on column headgate.pipeline_steps.step is 'The step''s name; Airflow''s task_id.';
comment on column headgate.pipeline_steps.position is 'The order in which ready steps start.';
comment on column headgate.pipeline_steps.kind is 'function or fan_out.';
comment on column headgate.pipeline_steps.depends_on is 'Steps that must have ended before.';
comment on column headgate.pipeline_steps.trigger_rule is
    'all_success, all_done, one_success, one_failed, all_failed, none_failed or none_failed_min_one_success of the '
    'steps it depends on; a step skipped by an operator counts as passed. If it does not hold, the step is skipped.';
comment on column headgate.pipeline_steps.function is
    'schema.name of the stored function, called with p_pipeline and p_run_id.';
comment on column headgate.pipeline_steps.operations is 'Operations of the fan-out.';
comment on column headgate.pipeline_steps.group_keys is 'Groups of the fan-out; null: all.';
comment on column headgate.pipeline_steps.max_failed_share is
    'The step has failed when a larger share of its jobs failed or was deferred by an internal fault.';
comment on column headgate.pipeline_steps.may_fail is
    'True: its failure does not fail the execution; steps that depend on it still see the failure.';
comment on column headgate.pipeline_steps.condition is
    'A predicate over the run document, evaluated when its trigger rule is met; false: the step is skipped.';
comment on column headgate.pipeline_steps.retries is
    'With driver headgate: how often it is retried automatically after a failure, each time as a new round.';
comment on column headgate.pipeline_steps.retry_delay is 'How long it waits before the first retry.';
comment on column headgate.pipeline_steps.retry_backoff is
    'The factor by which each further delay is longer than the previous one; none is longer than 30 days.';
comment on column headgate.pipeline_steps.timeout is
    'With driver headgate: a round that does not end within it fails, and waiting work is deferred; null: no limit.';
comment on column headgate.pipeline_steps.max_waves is
    'How often it may be planned in a run: each time that its jobs have ended, again for work that became due '
    'meanwhile, such as pages that were found; 1: once.';

create table headgate.step_groups (
    pipeline_id bigint not null references headgate.pipelines,
    step text not null,
    group_key text not null,
    added_at timestamptz not null,
    constraint step_groups_pkey primary key (pipeline_id, step, group_key)
);

comment on table headgate.step_groups is
    'A group that an operator has added to a step; migrate adds it again to the groups that the plan declares.';
comment on column headgate.step_groups.pipeline_id is 'The pipeline.';
comment on column headgate.step_groups.step is 'The step; a name, because a plan''s rows may be replaced.';
comment on column headgate.step_groups.group_key is 'The group.';
comment on column headgate.step_groups.added_at is 'When it was added.';
