-- A work order: Airflow's next run of the pipeline takes it up. The notification wakes a run; the row is what counts.

create or replace function headgate.trigger_pipeline(
    p_pipeline text,
    p_params jsonb default '{}'
)
returns table (order_id bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
begin
    perform headgate._resolve_params(v_pipeline, p_params);
    insert into headgate.orders as o (pipeline_id, params, ordered_at, ordered_by)
    values (v_pipeline.pipeline_id, coalesce(p_params, '{}'), headgate.clock(), session_user)
    returning o.order_id into order_id;
    perform pg_notify('headgate_orders', '');
    return next;
end;
$func$;

comment on function headgate.trigger_pipeline(text, jsonb) is
    'Order a run of a pipeline from Airflow, with these parameters; returns the order.';

-- The parameters of a new run: its own, or, when it brings none, those of the oldest order that waits, which it takes.
create or replace function headgate._take_order(
    p_pipeline headgate.pipelines,
    p_params jsonb,
    p_now timestamptz,
    out order_id bigint,
    out params jsonb
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    params := headgate._resolve_params(p_pipeline, p_params);
    if params <> headgate._resolve_params(p_pipeline, '{}') then
        return;
    end if;

    update headgate.orders as o
    set taken_at = p_now
    where o.order_id = (
        select w.order_id
        from headgate.orders as w
        where w.pipeline_id = p_pipeline.pipeline_id
            and w.taken_at is null
        order by w.order_id
        limit 1
        for update
    )
    returning o.order_id, headgate._resolve_params(p_pipeline, o.params) into order_id, params;
    if not found then
        params := headgate._resolve_params(p_pipeline, p_params);
        return;
    end if;
    perform pg_notify('headgate_orders', '');
end;
$func$;
