-- Delete runs that ended before a time, with all that belongs to them: at most so many, those that started first. The
-- rest is for the next call. Runs that another session holds or still has work of are left, so sessions that forget at
-- once do not wait for each other.

create or replace function headgate._forget_runs(
    p_before timestamptz,
    p_runs integer
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_old constant bigint[] := array(
        select e.execution_id
        from headgate.process_executions as e
        where e.started_at < p_before
            and e.finished_at < p_before
            and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id)
        order by e.started_at, e.execution_id
        limit p_runs
        for update skip locked
    );
begin
    if v_old = '{}' then
        return 0;
    end if;

    with old as (
        select u.execution_id from unnest(v_old) as u (execution_id)
    ),
    old_steps as (
        delete from headgate.process_steps as s using old as o where s.execution_id = o.execution_id
    ),
    old_counts as (
        delete from headgate.step_counts as c using old as o where c.execution_id = o.execution_id
    ),
    old_deferrals as (
        delete from headgate.planner_deferrals as d using old as o where d.execution_id = o.execution_id
    ),
    old_results as (
        delete from headgate.check_results as r using old as o where r.execution_id = o.execution_id
    ),
    old_pages as (
        delete from headgate.job_pages as g using old as o where g.execution_id = o.execution_id
    ),
    old_cache_counts as (
        insert into headgate.kept_counts as k (name, labels, value)
        select
            'headgate_cache_requests_total', jsonb_build_object('operation', p.name, 'result', r.result) as labels,
            sum(r.value)
        from headgate.cache_counts as c
        join old as o using (execution_id)
        join headgate.operations as p on p.operation_id = c.operation_id
        cross join lateral (
            values ('hit', c.hits - c.coalesced), ('miss', c.misses), ('coalesced', c.coalesced)
        ) as r (result, value)
        group by labels
        order by labels  -- as every session takes them
        on conflict (name, labels) do update set value = k.value + excluded.value
    )
    delete from headgate.job_outputs as j using old as o where j.execution_id = o.execution_id;
    delete from headgate.process_executions as e where e.execution_id = any (v_old);
    return cardinality(v_old);
end;
$func$;
