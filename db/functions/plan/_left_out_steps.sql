-- Steps of an execution whose pairs are all left out.

create or replace function headgate._left_out_steps(
    p_execution headgate.process_executions,
    p_step text
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(d.step)
    from (
        select distinct headgate._step_of(
            p_execution.pipeline_id, headgate._plan_options(p_execution), f.operation_id, f.group_key, p_step
        ) as step
        from headgate.planner_deferrals as f
        where f.execution_id = p_execution.execution_id
            and f.reason = 'failures'
    ) as d
    where not headgate._has_other_pairs(p_execution.pipeline_id, headgate._plan_options(p_execution), d.step);
$func$;

-- Whether a step has a pair that is not left out. A pair that has never had its input does not count.
create or replace function headgate._has_other_pairs(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_step text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with chosen as materialized (
        select headgate._selected_assets(p_pipeline_id, p_options) as asset_ids
    )
    select exists (
        select
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as n
        join headgate.operations as o using (operation_id)
        join headgate.asset_processing_state as s using (operation_id)
        join headgate.assets as a on a.asset_id = s.asset_id and a.universe = o.universe
        where not headgate._is_left_out(s)
            and (
                coalesce(s.next_due_at, s.succeeded_at) is not null
                or o.follows_operation_id is null and o.due_rule <> 'after'
            )
            and a.is_active
            and (
                (select c.asset_ids from chosen as c) is null
                or a.asset_id in (select unnest(c.asset_ids) from chosen as c)
            )
            and headgate._step_of(p_pipeline_id, p_options, s.operation_id, a.group_key) = p_step
    );
$func$;
