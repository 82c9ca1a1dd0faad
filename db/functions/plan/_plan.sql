-- The plan asset by asset, for explanations. Changes nothing.

create or replace function headgate._plan(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_quota integer default null
)
returns table (
    rank bigint,
    operation_id bigint,
    asset_id bigint,
    step text,
    group_key text,
    provider_id bigint,
    units integer,
    due_since timestamptz,
    is_granted boolean,
    reason text,
    units_before bigint,
    units_together bigint,
    units_left bigint,
    run_at timestamptz,
    call_no integer,
    call_operation_id bigint,
    sessions date[],
    cost bigint,
    other_cost bigint
)
language sql
stable
rows 10000
set search_path = pg_catalog, pg_temp
as $func$
    select
        s.rank + (a.nth - 1) * s.ranks_each,
        s.operation_id,
        a.asset_id,
        s.step,
        s.group_key,
        s.provider_id,
        case when a.nth = 1 then s.first_units else s.units end,
        s.due_since,
        s.is_granted,
        s.reason,
        s.units_before + (a.nth - 1) * s.ranks_each * s.units_together,
        s.units_together,
        s.units_left,
        s.run_at,
        s.call_no,
        s.call_operation_id,
        s.sessions,
        s.cost,
        s.other_cost
    from headgate._plan_slices(p_pipeline_id, p_options, p_at, p_quota) as s
    cross join unnest(s.asset_ids) with ordinality as a (asset_id, nth);
$func$;
