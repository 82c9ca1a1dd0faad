-- Turns what is due into a plan: writes chunks, holds pairs, reserves units and records the rest as deferred. A
-- repeated call finds the plan and only reports it.

create or replace function headgate.check_quota(
    p_pipeline text,
    p_run_id text
)
returns table (operation text, group_key text, planned bigint, deferred bigint, units bigint, reason text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    if v_execution.status = 'paused' then
        perform headgate._check_open(v_execution);
    elsif v_execution.status = 'running' and exists (
        select
        from headgate.process_steps as s
        where s.execution_id = v_execution.execution_id
            and s.kind = 'fan_out'
            and s.status in ('pending', 'running')
            and s.planned_at is null
    ) then
        perform headgate._write_plan(v_execution, null);
    end if;

    return query select * from headgate._plan_summary(v_execution);
end;
$func$;

comment on function headgate.check_quota(text, text) is
    'Plan the execution: reserve what the budget covers, defer the rest; returns both per operation and group.';

-- Planned and deferred pairs of an execution, whatever their outcome since.
create or replace function headgate._plan_summary(p_execution headgate.process_executions)
returns table (operation text, group_key text, planned bigint, deferred bigint, units bigint, reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with planned as (
        select c.operation_id, c.group_key, cardinality(c.asset_ids)::bigint as jobs, c.units::bigint
        from headgate.chunks as c
        where c.execution_id = p_execution.execution_id
        union all
        select d.operation_id, a.group_key, count(distinct d.asset_id), sum(d.units)
        from headgate.asset_processing_details as d
        join headgate.assets as a using (asset_id)
        where d.execution_id = p_execution.execution_id
            and d.ended_at >= p_execution.started_at
        group by d.operation_id, a.group_key
    ),
    deferred as (
        select d.operation_id, d.group_key, sum(cardinality(d.asset_ids))::bigint as jobs,
            string_agg(d.reason, ', ' order by d.reason) as reason
        from headgate.planner_deferrals as d
        where d.execution_id = p_execution.execution_id
        group by d.operation_id, d.group_key
    ),
    both_sides as (
        select operation_id, group_key, sum(p.jobs) as jobs, sum(p.units) as units, d.jobs as deferred, d.reason
        from planned as p
        full join deferred as d using (operation_id, group_key)
        group by operation_id, group_key, d.jobs, d.reason
    )
    select
        o.name, b.group_key, coalesce(b.jobs, 0)::bigint, coalesce(b.deferred, 0), coalesce(b.units, 0)::bigint,
        b.reason
    from both_sides as b
    join headgate.operations as o using (operation_id)
    order by o.operation_id, b.group_key;
$func$;
