-- Shares of a window. Nothing is read unless some pipeline has a floor or a ceiling.

create or replace function headgate._share_left(
    p_provider_id bigint,
    p_pipeline_id bigint,
    p_opened_at timestamptz,
    p_usable integer,
    p_used bigint
)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_usable is null or not exists (
        select
        from headgate.quota_shares as q
        where q.provider_id = p_provider_id
            and (q.floor_share > 0 and q.pipeline_id <> p_pipeline_id
                or q.ceiling_share < 1 and q.pipeline_id = p_pipeline_id)
    ) then
        return null;
    end if;

    return (
        with used as materialized (
            select u.pipeline_id, u.units from headgate._window_use(p_provider_id, p_opened_at) as u
        )
        select least(
            floor(min(q.ceiling_share) filter (where q.pipeline_id = p_pipeline_id) * p_usable)
                - coalesce((select u.units from used as u where u.pipeline_id = p_pipeline_id), 0) - p_used,
            p_usable - p_used - coalesce((select sum(u.units) from used as u), 0)
                - coalesce(sum(greatest(0, ceil(q.floor_share * p_usable) - coalesce(u.units, 0)))
                    filter (where q.pipeline_id <> p_pipeline_id), 0)
        )::bigint
        from headgate.quota_shares as q
        left join used as u using (pipeline_id)
        where q.provider_id = p_provider_id
    );
end;
$func$;

-- What each pipeline has used of a window: chunks in flight, and jobs that ended in steps that started in it.
create or replace function headgate._window_use(
    p_provider_id bigint,
    p_opened_at timestamptz
)
returns table (pipeline_id bigint, units bigint)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select e.pipeline_id, sum(t.units)::bigint
    from (
        select c.execution_id, c.units
        from headgate.chunks as c
        where c.provider_id = p_provider_id
            and c.window_opened_at = p_opened_at
        union all
        select s.execution_id, n.units
        from headgate.process_steps as s
        join headgate._step_counters as n using (execution_id, step)
        join headgate.process_executions as e using (execution_id)
        where e.started_at >= p_opened_at
            and n.units > 0
            and exists (
                select
                from headgate.operations as o
                where o.name = any (s.operations)
                    and o.provider_id = p_provider_id
            )
    ) as t
    join headgate.process_executions as e using (execution_id)
    group by e.pipeline_id;
$func$;
