-- The parameters of a new run: its own, or, if it has none, those of the oldest pending order, which it takes.

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
