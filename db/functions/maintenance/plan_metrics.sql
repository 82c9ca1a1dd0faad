-- The samples of the plans' metrics. A metric that fails has one row with its error, and costs no other metric; one
-- without samples has one row without a value. Nothing inside of such a query: a metric that reads v_metrics would
-- call itself.

create or replace function headgate.plan_metrics()
returns table (name text, type text, help text, labels jsonb, value double precision, error text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_metric headgate.metrics;
    v_tried record;
    v_is_out_of_time boolean := false;
begin
    for v_metric in
        select m.*
        from headgate.metrics as m
        where current_setting('application_name') not like 'headgate check until %'
        order by m.name
    loop
        select * into v_tried from headgate._try_query(v_metric.function, v_metric.timeout, v_is_out_of_time);
        v_is_out_of_time := v_tried.is_out_of_time;
        error := coalesce(v_tried.error, headgate._sample_fault(v_tried.rows));
        return query
        select v_metric.name, v_metric.type, v_metric.help, coalesce(s.labels, '{}'), s.value, plan_metrics.error
        from (select) as one
        left join jsonb_to_recordset(v_tried.rows) as s (labels jsonb, value double precision)
            on plan_metrics.error is null;
    end loop;
end;
$func$;

comment on function headgate.plan_metrics() is
    'The samples of the metrics that plans declare, and why a metric has none; shown by v_metrics.';

-- What Prometheus would refuse, and with it all metrics; null: nothing.
create or replace function headgate._sample_fault(p_samples jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when count(*) > 100 then format('it has %s samples, more than 100: a label has too many values', count(*))
        when count(*) > count(distinct s.labels) then 'two of its samples have the same labels'
        when bool_or(l.name is not null)
            then format('%s is not a label''s name: a-z, 0-9 and _', quote_literal(min(l.name)))
    end
    from jsonb_to_recordset(p_samples) as s (labels jsonb)
    left join lateral (
        select k.name
        from jsonb_object_keys(s.labels) as k (name)
        where k.name !~ '^[a-z][a-z0-9_]*$'
        limit 1
    ) as l on true;
$func$;
