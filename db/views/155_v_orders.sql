-- The state of orders, for those who gave them.

drop view if exists headgate.v_orders cascade;

create view headgate.v_orders as
select
    o.order_id,
    p.name as pipeline,
    o.params,
    case
        when o.taken_at is null then 'waiting'
        else coalesce(e.status, 'taken')
    end as status,
    case when o.taken_at is null then w.reason end as reason,
    e.run_id,
    o.ordered_by,
    o.ordered_at,
    o.announced_at,
    o.taken_at,
    e.finished_at
from headgate.orders as o
join headgate.pipelines as p using (pipeline_id)
left join headgate.process_executions as e using (execution_id)
cross join lateral (
    select
        count(*) filter (where d.heard_at > headgate.clock() - interval '1 minute') as heard,
        bool_and(d.is_paused) filter (where d.heard_at > headgate.clock() - interval '1 minute') as is_paused,
        max(d.heard_at) as heard_at
    from headgate.dags as d
    where d.pipeline_id = o.pipeline_id
) as d
left join lateral (
    select r.run_id
    from headgate.process_executions as r
    where r.pipeline_id = o.pipeline_id
        and r.status in ('running', 'paused')
    limit 1
) as r on true
cross join lateral (
    select count(*) as orders
    from headgate.orders as b
    where b.pipeline_id = o.pipeline_id
        and b.taken_at is null
        and b.order_id < o.order_id
) as b
cross join lateral (
    select case
        when p.is_paused and p.is_paused_with_dag then 'its DAG is paused, and the pipeline with it'
        when p.is_paused then 'the pipeline is paused: call headgate.resume_pipeline'
        when d.heard_at is null then 'no scheduler has reported a DAG for it'
        when d.heard = 0 then 'no word from a scheduler since ' || d.heard_at
        when d.is_paused then 'its DAG is paused'
        when b.orders > 0 then format('%s before it', b.orders)
        when r.run_id is not null then format('run %s is under way', r.run_id)
        when o.announced_at is null then 'the scheduler is about to be notified'
        else 'the scheduler was notified: its run is about to begin'
    end as reason
) as w
order by o.order_id desc;

comment on view headgate.v_orders is
    'Orders of headgate.trigger_pipeline, newest first, with their state and its reason.';
comment on column headgate.v_orders.order_id is 'The order, as headgate.trigger_pipeline returned it.';
comment on column headgate.v_orders.pipeline is 'The pipeline.';
comment on column headgate.v_orders.params is 'The run''s parameters, as given.';
comment on column headgate.v_orders.status is
    'waiting; once it is taken, the status of its execution (taken: the execution is no longer kept).';
comment on column headgate.v_orders.reason is 'What it waits for; null: it has been taken.';
comment on column headgate.v_orders.run_id is 'The run that took it.';
comment on column headgate.v_orders.ordered_by is 'The database user who ordered it.';
comment on column headgate.v_orders.ordered_at is 'When.';
comment on column headgate.v_orders.announced_at is 'When the scheduler was last notified of it.';
comment on column headgate.v_orders.taken_at is 'When a run took it.';
comment on column headgate.v_orders.finished_at is 'When that run ended.';
