-- Composite types passed between functions, runners and plans.

-- Between the core and the plans.

create type headgate.ingest_result as (
    asset_id bigint,
    status text,
    records integer,
    watermark timestamptz,
    reason text
);

comment on type headgate.ingest_result is
    'An ingest function''s result for one asset: success, failed or skipped; rows changed; new watermark.';

create type headgate.answer as (
    asset_id bigint,
    status integer,
    headers jsonb,
    body text,
    duration_ms numeric,
    request_count integer,
    from_cache boolean
);

comment on type headgate.answer is
    'An answer as an ingest function may take it: HTTP status (null: of a database), headers by name in lower case, '
    'body, how long the call took, how many requests it was, and whether it came from a cache.';

create type headgate.calendar_session as (
    asset_id bigint,
    calendar text,
    session date,
    opens_at timestamptz,
    closes_at timestamptz,
    is_early_close boolean
);

comment on type headgate.calendar_session is 'A trading session computed by a handler; the asset is its calendar.';

-- For runners; a row without a chunk says when to ask again.

create type headgate.claimed_chunk as (
    chunk_id bigint,
    lease_no integer,
    lease_seconds integer,
    pipeline text,
    run_id text,
    step text,
    provider text,
    operation text,
    call jsonb,
    handler text,
    asset_ids bigint[],
    assets text[],
    urls text[],
    bodies text[],
    attempt integer,
    wake_at timestamptz,
    headers jsonb[]
);

comment on type headgate.claimed_chunk is
    'A chunk a runner has claimed, with its requests; chunk_id null: nothing, ask again at wake_at.';

-- Reported jobs and their results.

create type headgate.job_report as (
    asset_id bigint,
    outcome text,
    fault text,
    error text,
    is_charged boolean,
    calls integer,
    request_count integer,
    charged integer,
    records integer,
    watermark timestamptz,
    duration_ms integer,
    verdict text
);

comment on type headgate.job_report is
    'A job as reported by a runner and judged by its ingest function: outcome, calls made and charged, and rows.';

create type headgate.job_result as (
    asset_id bigint,
    result text,
    reason text,
    error text,
    units integer,
    request_count integer,
    records integer,
    watermark timestamptz,
    duration_ms integer,
    attempt integer,
    wake_at timestamptz,
    park_until timestamptz,
    refund integer,
    retry_count integer,
    verdict text,
    from_cache boolean
);

comment on type headgate.job_result is
    'The result of a reported job: an end (its status) or ''park'', and the data for either.';

create type headgate.job_tally as (
    succeeded integer,
    failed integer,
    deferred integer,
    deferred_by_fault integer,
    skipped integer,
    cancelled integer,
    parked integer,
    units integer,
    refund integer,
    deferred_by_internal_fault integer,
    degraded integer
);

comment on type headgate.job_tally is
    'The number of jobs per result, the cost of the ended ones, and the units to give back.';

-- The planner's input.

create type headgate.plan_options as (
    params jsonb,
    execution_id bigint,
    is_backfill boolean,
    is_daily boolean,
    may_use_bulk_calls boolean,
    reserve integer,
    operations text[]
);

comment on type headgate.plan_options is
    'The options of a run''s or a what-if question''s plan: resolved parameters, the execution whose graph applies '
    '(null: the pipeline''s), and options that only explain and forecast change: a session each day, no bulk calls, a '
    'reserve, only some operations (null: all).';

-- The planner's unit of decision: assets with equal rank and cost.

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
    'Assets whose due operations (granted together) are alike: how many, how urgent, and after which session bars are '
    'missing (null: no bulk call serves them).';

create type headgate.plan_need as (
    operation_id bigint,
    provider_id bigint,
    units integer,
    bundle integer,
    is_alone boolean,
    max_assets integer,
    chunk_size integer,
    max_wait interval,
    due_rule text,
    weight_power double precision,
    staleness_per_day double precision,
    is_backfill boolean,
    call_operation_id bigint,
    call_provider_id bigint,
    call_units integer,
    most_calls integer,
    batch_size integer,
    call_units_per_asset integer,
    is_callable boolean,
    is_first boolean,
    is_tied boolean
);

comment on type headgate.plan_need is
    'An operation of a run with its parameters, and the bulk call that may serve it (null: none).';

create type headgate.plan_budget as (
    provider_id bigint,
    opened_at timestamptz,
    closes_at timestamptz,
    blocked_until timestamptz,
    units_left bigint,
    is_shared boolean,
    reserve integer
);

comment on type headgate.plan_budget is
    'What a provider still allows a run, and the part of it that the backfill may not use.';

create type headgate.ranked_class as (
    class_no integer,
    operation_ids bigint[],
    group_key text,
    calendar text,
    priority smallint,
    due_since timestamptz,
    weight double precision,
    jobs integer,
    missing_from date,
    bundle integer,
    units bigint,
    is_backfill boolean,
    value double precision,
    nth bigint,
    allowed integer
);

comment on type headgate.ranked_class is
    'A plan_class with its price and its value per unit, its place among the classes (null: not due yet), '
    'and how many of its assets the run''s asset limit allows.';

create type headgate.class_call as (
    class_no integer,
    operation_id bigint,
    call_no integer,
    sessions date[],
    is_in_call boolean,
    first_nth bigint,
    last_nth bigint,
    "position" bigint,
    cost bigint,
    other_cost bigint,
    call_operation_id bigint,
    call_provider_id bigint,
    base bigint,
    units bigint
);

comment on type headgate.class_call is
    'Assets of a class that a bulk call serves, or that are called for one by one although there is such a call; '
    'what the call costs in total, and for each asset.';

create type headgate.plan_entry as (
    place bigint,
    rank bigint,
    class_no integer,
    call_no integer,
    skipped bigint,
    many bigint,
    ranks bigint,
    is_backfill boolean
);

comment on type headgate.plan_entry is
    'A unit of granting: the assets of a class, or those of one bulk call. Its place, the rank of its first asset, how '
    'many assets may be granted and how many take a rank.';

create type headgate.entry_grant as (
    place bigint,
    provider_id bigint,
    base bigint,
    units bigint,
    units_before bigint,
    units_here bigint,
    units_left bigint,
    is_shared boolean,
    closes_at timestamptz,
    last_due_at timestamptz,
    most bigint,
    is_away boolean,
    is_blocked boolean,
    wait_until timestamptz
);

comment on type headgate.entry_grant is
    'How many assets of an entry are granted, by the provider that allows the fewest, and what prevents more.';

-- A forecast's state between days.

create type headgate.forecast_need as (
    operation_id bigint,
    priority smallint,
    next_due_at timestamptz,
    missing_from date,
    is_new boolean,
    is_held boolean,
    is_left_out boolean
);

comment on type headgate.forecast_need is 'One need of a forecast class: when it is due, and its data.';

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
    'Similar assets of a forecast, and their needs; the asset''s own id only if a function computes when it is due.';
