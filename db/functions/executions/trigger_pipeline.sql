-- An order: the next Airflow run of the pipeline takes it. The notification only wakes a run; the row is what counts.

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
