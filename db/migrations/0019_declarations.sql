-- The last declarations of each plan's file: the base of the three-way merge in headgate._declare.

create table headgate.declarations (
    kind text not null,
    name text not null,
    plan text not null,
    position integer not null,
    settings jsonb not null,
    place text,
    is_declared boolean not null,
    constraint declarations_pkey primary key (kind, name),
    constraint declaration_kind_is_known
        check (kind in (
            'pool', 'store', 'provider', 'rule', 'operation', 'pipeline', 'step', 'parameter', 'check', 'metric',
            'channel', 'route'
        ))
);

comment on table headgate.declarations is
    'An object declared in a plan''s file, with its last declared settings, the base of the three-way merge.';
comment on column headgate.declarations.kind is
    'pool, store, provider, rule, operation, pipeline, step, parameter, check, channel or route.';
comment on column headgate.declarations.name is
    'Its name; for a rule, step or parameter, preceded by its provider or pipeline and a slash.';
comment on column headgate.declarations.plan is 'The plan that declares it. Only that plan may.';
comment on column headgate.declarations.position is 'Its place among the plan''s objects, in the order of the file.';
comment on column headgate.declarations.settings is
    'The settings given in the file, by argument. A missing one has its default, or what an operator set.';
comment on column headgate.declarations.place is
    'File and line of its declaration; null when the file was applied by psql.';
comment on column headgate.declarations.is_declared is
    'False only between begin_plan and end_plan: not declared yet by the file. end_plan retires such objects.';

create index declarations_plan_idx on headgate.declarations (plan, kind);
comment on index headgate.declarations_plan_idx is 'Finds what a plan declares.';

create table headgate.declaration_mistakes (
    mistake_id bigint generated always as identity,
    plan text not null,
    place text,
    kind text,
    name text,
    message text not null,
    hint text,
    constraint declaration_mistakes_pkey primary key (mistake_id)
);

comment on table headgate.declaration_mistakes is
    'Mistakes found since begin_plan. end_plan reports them all at once; they vanish with the transaction.';
comment on column headgate.declaration_mistakes.mistake_id is 'Order of finding.';
comment on column headgate.declaration_mistakes.plan is 'The plan.';
comment on column headgate.declaration_mistakes.place is 'File and line; null when the file was applied by psql.';
comment on column headgate.declaration_mistakes.kind is
    'Kind of the invalid object; null: not an object''s declaration.';
comment on column headgate.declaration_mistakes.name is 'Its name, as in declarations.';
comment on column headgate.declaration_mistakes.message is 'What is wrong.';
comment on column headgate.declaration_mistakes.hint is 'What to do.';
