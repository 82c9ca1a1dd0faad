-- Pairs with too many failures of their own: they are planned again after a reset or a change of their inputs. A run
-- reports them, and a step with only such pairs has failed.

-- The pairs that a plan leaves out, from the small index of failures.
create or replace function headgate._left_out(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_step text default null
)
returns table (operation_id bigint, asset_id bigint, step text, group_key text, failed_at timestamptz)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_nestloop = on  -- they are few, assets many
as $func$
    with chosen as materialized (
        select headgate._selected_assets(p_pipeline_id, p_options) as asset_ids
    ),
    pair as materialized (
        select s.operation_id, s.asset_id, a.group_key, s.last_failed_at
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as n
        join headgate.operations as o using (operation_id)
        join headgate.asset_processing_state as s on s.operation_id = o.operation_id and headgate._is_left_out(s)
        join headgate.assets as a on a.asset_id = s.asset_id and a.universe = o.universe
        where a.is_active
            and (
                (select c.asset_ids from chosen as c) is null
                or a.asset_id in (select unnest(c.asset_ids) from chosen as c)
            )
    ),
    step_of as materialized (
        select
            k.operation_id, k.group_key,
            headgate._step_of(p_pipeline_id, p_options, k.operation_id, k.group_key, p_step) as step
        from (select distinct p.operation_id, p.group_key from pair as p) as k
    )
    select p.operation_id, p.asset_id, s.step, p.group_key, p.last_failed_at
    from pair as p
    join step_of as s using (operation_id, group_key)
    where s.step is not null;
$func$;
