-- Notify the scheduler of an order when its turn comes, and only once: a duplicate event would start a run that finds
-- no order and ends at once. An order that cannot start yet is not announced, because a paused DAG ignores events.

create or replace function headgate.announce_order(
    p_pipeline text,
    p_deployment text default null
)
returns table (order_id bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
begin
    if v_pipeline.is_paused or headgate._is_dag_paused(v_pipeline.pipeline_id, p_deployment, v_now) then
        return;
    end if;
    return query
    update headgate.orders as o
    set announced_at = v_now
    where o.order_id = (
            select min(w.order_id)
            from headgate.orders as w
            where w.pipeline_id = v_pipeline.pipeline_id
                and w.taken_at is null
        )
        and o.taken_at is null
        and (
            o.announced_at is null
            or o.announced_at < v_now - interval '5 minutes'
            and not exists (
                select
                from headgate.process_executions as e
                where e.pipeline_id = v_pipeline.pipeline_id
                    and e.status in ('running', 'paused')
            )
        )
    returning o.order_id;
end;
$func$;

comment on function headgate.announce_order(text, text) is
    'The next order, if the scheduler has not been notified of it and one of its DAGs can take it; no row otherwise.';

-- Whether all DAGs of a scheduler that run a pipeline are paused; false without any report.
create or replace function headgate._is_dag_paused(
    p_pipeline_id bigint,
    p_deployment text,
    p_now timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(bool_and(d.is_paused), false)
    from headgate.dags as d
    where d.pipeline_id = p_pipeline_id
        and d.deployment = coalesce(p_deployment, '')
        and d.heard_at > p_now - interval '1 minute';
$func$;
