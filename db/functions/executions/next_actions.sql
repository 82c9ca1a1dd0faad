-- What a run left undone, why, and the call that continues it. The most serious row comes last.

create or replace function headgate.next_actions(
    p_pipeline text,
    p_run_id text
)
returns table (action text, found text, advice text, not_before timestamptz, statement text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    if v_execution.finished_at is null then
        return query select a.* from headgate._open_actions(v_execution, p_pipeline) as a;
    else
        return query
        select a.* from headgate._run_actions(v_execution, p_pipeline, v_now) as a
        union all
        select a.* from headgate._retry_action(v_execution, p_pipeline, v_now) as a;
    end if;
end;
$func$;

comment on function headgate.next_actions(text, text) is
    'What a run left undone and the call that continues it: run, retry, reset, resume, work (start a runner), wait. '
    'No row: nothing is left.';

-- An unfinished run waits for an action or for a time. What it did not plan is left to the next run.
create or replace function headgate._open_actions(
    p_execution headgate.process_executions,
    p_pipeline text
)
returns table (action text, found text, advice text, not_before timestamptz, statement text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'resume', 'the pipeline is paused', null, null::timestamptz,
        format('select * from headgate.resume_pipeline(p_pipeline => %L)', p_pipeline)
    where p_execution.status = 'paused'
    union all
    select
        case when w.reason = 'no runner is connected' then 'work' else 'wait' end,
        case
            when w.operation is null then format('step %s waits: %s', w.step, w.reason)
            else format('%s wait: %s', headgate._count_words(w.jobs, 'job'), w.reason)
        end,
        'it is left to the next run at ' || (w.gives_up_at at time zone 'UTC'),
        w.next_try_at,
        null
    from headgate.v_waiting as w
    where w.pipeline = p_pipeline
        and w.run_id = p_execution.run_id
        and p_execution.status = 'running'
        and w.reason not in (select r.meaning from headgate.v_deferral_reasons as r);
$func$;

-- What was due but not planned, or ended for lack of units, goes to the next run: now, or when there are units.
create or replace function headgate._run_actions(
    p_execution headgate.process_executions,
    p_pipeline text,
    p_now timestamptz
)
returns table (action text, found text, advice text, not_before timestamptz, statement text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with undone as materialized (
        select u.* from headgate._undone_jobs(p_execution) as u
    ),
    waiting as (
        select
            n.jobs, coalesce(r.meaning, d.reason) as reason, d.reason as kind, o.name as operation, o.provider_id,
            (d.evidence ->> 'earliest')::timestamptz as earliest
        from headgate.planner_deferrals as d
        join headgate.operations as o using (operation_id)
        left join headgate.v_deferral_reasons as r using (reason)
        cross join lateral (
            select count(*) as jobs
            from unnest(d.asset_ids) as a (asset_id)
            where (d.operation_id, a.asset_id) not in (select u.operation_id, u.asset_id from undone as u)
        ) as n
        where d.execution_id = p_execution.execution_id
            and n.jobs > 0
        union all
        select count(*), 'quota exhausted while it ran', 'quota', null, p.provider_id, min(w.closes_at)
        from undone as u
        join headgate.operations as o using (operation_id)
        join headgate.providers as p using (provider_id)
        cross join lateral headgate._window_at(p, p_now) as w
        where u.kind = 'quota'
        group by p.provider_id
    )
    select
        case when w.kind = 'failures' then 'reset' else 'run' end,
        format('%s are due and were not run: %s', headgate._count_words(sum(w.jobs)::bigint, 'job'), w.reason),
        case
            when w.kind in ('quota', 'share', 'reserve')
                then format('more units: headgate.set_provider(%L, ''{"quota": ...}'')', p.name)
            when w.kind in ('blocked', 'breaker')
                then format('to unblock it now: headgate.set_provider(%L, ''{"blocked_until": null}'')', p.name)
            when w.kind = 'failures' then 'headgate.v_failed_assets says what went wrong'
        end,
        case when min(w.earliest) > p_now then min(w.earliest) end,
        case
            when w.kind = 'failures' then format(
                'select r.* from headgate.v_failed_assets as f'
                ' cross join lateral headgate.reset_asset(f.asset_id, array[f.operation]) as r'
                ' where f.consecutive_failures >= 5 and f.operation = any (%L)', array_agg(distinct w.operation)
            )
            else format(
                'select * from headgate.%s(p_pipeline => %L)',
                case when p_execution.driver = 'airflow' then 'trigger_pipeline' else 'run_pipeline' end, p_pipeline
            )
        end
    from waiting as w
    join headgate.providers as p using (provider_id)
    group by w.kind, w.reason, p.name
    order by sum(w.jobs) desc;
$func$;

-- Jobs that failed, were deferred by a fault or were cancelled can be run again within the run, all by one call.
create or replace function headgate._retry_action(
    p_execution headgate.process_executions,
    p_pipeline text,
    p_now timestamptz
)
returns table (action text, found text, advice text, not_before timestamptz, statement text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with left_undone as (
        select
            k.weight,
            headgate._count_words(count(*), 'job') || k.words
            || coalesce(' (' || left(mode() within group (order by u.reason), 300) || ')', '') as says,
            max(g.blocked_until) filter (where u.kind = 'provider' and g.blocked_until > p_now) as blocked_until
        from headgate._undone_jobs(p_execution) as u
        join (values
            (1, 'cancelled', ' cancelled'),
            (2, 'deferred', ' deferred'),
            (3, 'provider', ' deferred by the provider'),
            (4, 'failed', ' failed'),
            (6, 'internal', ' deferred by an internal fault'),
            (7, 'unknown', ' whose call may have been made')
        ) as k (weight, kind, words) using (kind)
        join headgate.operations as o using (operation_id)
        left join headgate.breakers as g using (provider_id)
        group by k.weight, k.words
        union all
        select 5, format('step %s failed: %s', s.step, left(f.error, 300)), null
        from headgate.process_steps as s
        cross join lateral (select coalesce(s.output ->> 'error', s.output #>> '{0,error}') as error) as f
        where s.execution_id = p_execution.execution_id
            and s.status = 'failed'
            and f.error is not null
    )
    select
        'retry',
        string_agg(u.says, ', ' order by u.weight, u.says),
        case
            when bool_or(u.weight = 6) then 'correct that first'
            when bool_or(u.weight = 7)
                then 'if one was not served: headgate.reset_asset first; if all were: headgate.mark_step'
            when p_execution.driver = 'airflow' then 'or clear its tasks in Airflow'
        end,
        max(u.blocked_until),
        format('select * from headgate.retry_failed(p_pipeline => %L, p_run_id => %L)', p_pipeline, p_execution.run_id)
    from left_undone as u
    having count(*) > 0;
$func$;

-- Jobs whose latest round was not successful: failed, cancelled, or deferred, and by what.
create or replace function headgate._undone_jobs(p_execution headgate.process_executions)
returns table (operation_id bigint, asset_id bigint, kind text, reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        l.operation_id,
        l.asset_id,
        case
            when l.status <> 'deferred' then l.status
            when headgate._is_unknown(l.reason) then 'unknown'
            when headgate._is_internal_fault(l.reason) then 'internal'
            else coalesce(substring(l.reason from '^(quota|provider): '), 'deferred')
        end,
        case
            when l.status <> 'cancelled' then coalesce(l.error, regexp_replace(l.reason, '^(internal|provider): ', ''))
        end
    from (
        select distinct on (d.operation_id, d.asset_id) d.operation_id, d.asset_id, d.status, d.reason, d.error
        from headgate.asset_processing_details as d
        where d.execution_id = p_execution.execution_id
            and d.ended_at >= p_execution.started_at
            and exists (
                select
                from headgate._step_counters as s
                where s.execution_id = p_execution.execution_id
                    and s.failed + s.deferred + s.skipped > 0
            )
        order by d.operation_id, d.asset_id, d.round desc
    ) as l
    where l.status in ('failed', 'deferred', 'cancelled');
$func$;
