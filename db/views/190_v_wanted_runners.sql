-- How many runners the work that is ready could use: one number, for an autoscaler.

drop view if exists headgate.v_wanted_runners cascade;

create view headgate.v_wanted_runners as
with usual as materialized (
    select j.operation_id, sum(j.duration_ms) / 1000.0 / sum(j.jobs) as seconds
    from headgate.job_counts as j
    where j.status in ('success', 'failed')
    group by j.operation_id
),
setting as materialized (
    select
        max((s.value #>> '{}')::interval) filter (where s.name = 'work_off_within') as within,
        max((s.value #>> '{}')::integer) filter (where s.name = 'calls_per_runner') as calls,
        max((s.value #>> '{}')::integer) filter (where s.name = 'processes_per_runner') as processes
    from headgate.settings as s
),
work as materialized (
    -- What is ready and may begin, and how much of it must be under way at once to be done in time.
    select
        c.provider_id, o.handler is not null as is_computed, c.pool, max(c.pool_slots) as pool_slots,
        sum(w.jobs) as jobs,
        sum(w.jobs * w.seconds) as seconds,
        sum(w.jobs * w.seconds / greatest(60, extract(epoch from least(e.deadline_at - t.now, g.within)))) as at_once
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.operations as o on o.operation_id = c.call_operation_id
    join headgate.providers as p on p.provider_id = c.provider_id
    join headgate.v_provider_health as h on h.provider = p.name
    left join usual as u on u.operation_id = c.operation_id
    cross join setting as g
    cross join (select headgate.clock() as now offset 0) as t
    cross join lateral (
        select cardinality(c.asset_ids) as jobs, greatest(coalesce(u.seconds, 1), 0.001) as seconds
    ) as w
    where c.state in ('queued', 'leased')
        and e.status = 'running'
        and h.state <> 'blocked'
    group by c.provider_id, is_computed, c.pool
),
bounded as materialized (
    -- More runners make no more calls than the provider takes, and fill no more slots than the pool has.
    select
        w.is_computed, w.at_once, v.possible, least(w.at_once, v.possible) as useful
    from work as w
    join headgate.providers as p using (provider_id)
    left join headgate.pools as l on l.name = w.pool
    cross join lateral (
        select least(
            w.jobs,
            l.slots / w.pool_slots,
            case when not w.is_computed then least(
                p.max_in_flight,
                p.requests_per_minute * w.seconds / (60 * w.jobs),
                w.seconds / w.jobs / nullif(extract(epoch from p.crawl_delay), 0)
            ) end
        ) as possible
    ) as v
)
select
    greatest(n.for_calls, n.for_handlers, n.is_any)::integer as wanted,
    n.for_calls::integer as for_calls,
    n.for_handlers::integer as for_handlers,
    n.is_limited
from (
    select
        coalesce(ceil(sum(b.useful) filter (where not b.is_computed) / max(g.calls)), 0) as for_calls,
        coalesce(ceil(sum(b.useful) filter (where b.is_computed) / max(g.processes)), 0) as for_handlers,
        (count(b.useful) > 0)::integer as is_any,
        coalesce(bool_or(b.possible < b.at_once), false) as is_limited
    from setting as g
    left join bounded as b on true
) as n;

comment on view headgate.v_wanted_runners is
    'One row: the number of runners that can work off in time what is ready, never more than rate limits, calls in '
    'flight and pools let work at once.';
comment on column headgate.v_wanted_runners.wanted is
    'The number; 0: nothing is ready. In time: before the run''s deadline, at the latest within the setting '
    'work_off_within.';
comment on column headgate.v_wanted_runners.for_calls is
    'Runners for calls, by the usual time of a call and the setting calls_per_runner.';
comment on column headgate.v_wanted_runners.for_handlers is
    'Runners for handlers, by the usual time of a job and the setting processes_per_runner.';
comment on column headgate.v_wanted_runners.is_limited is
    'True: a provider''s limit or a pool holds the work up, and more runners would not help.';
