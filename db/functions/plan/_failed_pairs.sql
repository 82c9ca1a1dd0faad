-- Jobs of a step whose latest round failed, was deferred or cancelled (all of its jobs, if an operator runs it again as
-- a whole), and pairs left out after failures. Pairs that are held are not included, nor those that another run has
-- done since, unless every run does them. A call that may have been made and must not be repeated is made again only if
-- it was requested since.

create or replace function headgate._failed_pairs(
    p_execution_id bigint,
    p_step text
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, group_key text, calendar text,
    weight double precision
)
language sql
stable
rows 100
set search_path = pg_catalog, pg_temp
as $func$
    with last_round as (
        select distinct on (d.operation_id, d.asset_id) d.*
        from headgate.asset_processing_details as d
        join headgate.process_executions as e using (execution_id)
        where d.execution_id = p_execution_id
            and d.step = p_step
            and d.ended_at >= e.started_at
        order by d.operation_id, d.asset_id, d.round desc
    ),
    left_out as (
        select d.operation_id, u.asset_id, d.deferred_at
        from headgate.planner_deferrals as d
        join headgate.process_executions as e using (execution_id)
        cross join unnest(d.asset_ids) as u (asset_id)
        where d.execution_id = p_execution_id
            and d.reason = 'failures'
            and not exists (  -- an automatic retry leaves them out, too
                select
                from headgate.process_steps as s
                where s.execution_id = p_execution_id
                    and s.step = p_step
                    and s.retry_at is not null
            )
            and headgate._step_of(e.pipeline_id, headgate._plan_options(e), d.operation_id, d.group_key) = p_step
    )
    select
        f.operation_id, f.asset_id, s.priority, least(s.next_due_at, f.ended_at), a.group_key, a.calendar, a.weight
    from (
        select l.operation_id, l.asset_id, l.ended_at, headgate._is_unknown(l.reason) and not r.is_rerun as is_unknown
        from last_round as l
        cross join (
            select s.is_rerun
            from headgate.process_steps as s
            where s.execution_id = p_execution_id
                and s.step = p_step
        ) as r
        where l.status in ('failed', 'deferred', 'cancelled')
            or r.is_rerun
        union all
        select l.operation_id, l.asset_id, l.deferred_at, false
        from left_out as l
        where (l.operation_id, l.asset_id) not in (select r.operation_id, r.asset_id from last_round as r)
    ) as f
    join headgate.asset_processing_state as s using (operation_id, asset_id)
    join headgate.operations as o using (operation_id)
    join headgate.assets as a on a.asset_id = f.asset_id and a.universe = o.universe
    where a.is_active
        and s.chunk_id is null
        and (o.due_rule = 'run' or coalesce(s.succeeded_at <= f.ended_at, true))
        and (not f.is_unknown or s.reprocess_requested_at >= f.ended_at);
$func$;
