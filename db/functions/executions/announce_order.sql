-- The scheduler is told of an order when it comes next, and once: an event that comes twice would be a run that finds no
-- order and takes the parameters at their defaults. Again only when five minutes later nothing has come of it.
create or replace function headgate.announce_order(p_pipeline text)
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

comment on function headgate.announce_order(text) is
    'The order that comes next, if the scheduler has not been told of it; no row otherwise.';
