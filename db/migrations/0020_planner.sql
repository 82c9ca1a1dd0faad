-- squawk-ignore-file constraint-missing-not-valid, adding-foreign-key-constraint
-- What the planner weighs: calls that serve a whole group, shares of a window, and what counts in the ranking.

alter table headgate.operations
    add column alternative_of_operation_id bigint,
    add column weight_power double precision not null default 1,
    add column staleness_per_day double precision not null default 1;

alter table headgate.operations
    add constraint operations_alternative_of_fkey
        foreign key (alternative_of_operation_id) references headgate.operations,
    add constraint an_alternative_is_called
        check (alternative_of_operation_id is null or path is not null),
    add constraint an_alternative_serves_another_operation
        check (alternative_of_operation_id <> operation_id),
    add constraint ranking_is_not_negative
        check (weight_power >= 0 and staleness_per_day >= 0);

comment on column headgate.operations.alternative_of_operation_id is
    'Another call for the same need: one call serves a whole group for one session, where that is cheaper; null: a need of its own.';
comment on column headgate.operations.weight_power is
    'How much an asset''s weight counts in the ranking: 1 in full, 0 not at all.';
comment on column headgate.operations.staleness_per_day is
    'How much waiting counts in the ranking: value = weight ^ weight_power x (1 + staleness_per_day x days overdue) / units.';

alter table headgate.asset_processing_state add column bulk_missed_at timestamptz;
comment on column headgate.asset_processing_state.bulk_missed_at is
    'A call for the whole group answered without this asset, or not at all: until its next success it is asked for alone.';

alter table headgate.chunks
    add column call_operation_id bigint,
    add column sessions date[];
alter table headgate.chunks
    add constraint chunks_call_operation_fkey
        foreign key (call_operation_id) references headgate.operations,
    add constraint a_call_for_the_group_names_its_sessions
        check ((call_operation_id is null) = (sessions is null) and cardinality(sessions) = calls);
comment on column headgate.chunks.operation_id is 'The need that its jobs meet.';
comment on column headgate.chunks.call_operation_id is 'The call that serves the whole group; null: each asset is called for by the operation itself.';
comment on column headgate.chunks.sessions is 'The sessions that the group is asked for, one call each.';

alter table headgate.planner_deferrals add column evidence jsonb not null default '{}';
comment on column headgate.planner_deferrals.evidence is 'What the decision rested on: units left, units ranked before, the earliest time to run.';

create table headgate.quota_shares (
    provider_id bigint not null references headgate.providers,
    pipeline_id bigint not null references headgate.pipelines,
    floor_share double precision not null default 0,
    ceiling_share double precision not null default 1,
    backfill_operations text[] not null default '{}',
    reserve integer not null default 0,
    constraint quota_shares_pkey primary key (provider_id, pipeline_id),
    constraint floor_share_is_a_share check (floor_share between 0 and 1),
    constraint ceiling_share_is_a_share check (ceiling_share between 0 and 1),
    constraint floor_is_below_its_ceiling check (floor_share <= ceiling_share),
    constraint reserve_is_not_negative check (reserve >= 0)
);

comment on table headgate.quota_shares is 'A pipeline''s share of each of a provider''s windows; without a row it may use all that others do not keep.';
comment on column headgate.quota_shares.provider_id is 'The provider.';
comment on column headgate.quota_shares.pipeline_id is 'The pipeline.';
comment on column headgate.quota_shares.floor_share is 'This share of a window is kept for the pipeline: others do not get it.';
comment on column headgate.quota_shares.ceiling_share is 'The pipeline gets no more than this share of a window.';
comment on column headgate.quota_shares.backfill_operations is
    'Operations that take what is left: after all others, and not the units of what becomes due later in the window.';
comment on column headgate.quota_shares.reserve is 'Units that the backfill leaves untouched.';

-- What the planner decides on: assets that are alike in all that ranking and charging look at.

create type headgate.plan_class as (
    class_no integer,
    operation_ids bigint[],
    group_key text,
    calendar text,
    priority smallint,
    due_since timestamptz,
    weight double precision,
    jobs integer,
    missing_from date
);

comment on type headgate.plan_class is
    'Assets whose due operations (granted together) are alike: how many, how urgent, and after which session bars are missing (null: no call for the group serves them).';

-- What a forecast carries from day to day.

create type headgate.forecast_need as (
    operation_id bigint,
    priority smallint,
    next_due_at timestamptz,
    missing_from date,
    is_new boolean,
    is_held boolean
);

comment on type headgate.forecast_need is 'One need of the assets of a forecast''s class: when it is due, and what it has.';

create type headgate.forecast_class as (
    class_no integer,
    group_key text,
    calendar text,
    weight double precision,
    asset_id bigint,
    assets integer,
    needs headgate.forecast_need[]
);

comment on type headgate.forecast_class is
    'Assets that are alike in a forecast, and their needs; the asset''s own number only where a function says when it is due.';

-- These are applied again with other arguments or another result, or are gone.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'headgate'
            and p.proname in (
                '_due_pairs', '_candidates', '_failed_pairs', '_plan', '_evidence', '_session_due_at', '_next_due_at'
            )
    loop
        execute format('drop function %s', v_function);
    end loop;
end;
$$;
