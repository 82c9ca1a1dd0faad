-- Runs with driver headgate that start when their pipeline is free, in the order in which they will.

drop view if exists headgate.v_queued_runs cascade;

create view headgate.v_queued_runs as
select
    p.name as pipeline,
    q.run_id,
    q.logical_date,
    q.is_backfill,
    q.queued_at,
    row_number() over (partition by q.pipeline_id order by q.is_backfill, q.queued_run_id) as position,
    case
        when p.is_paused then 'the pipeline is paused'
        when r.run_id is not null then format('run %s is under way', r.run_id)
        else 'a runner starts it'
    end as reason
from headgate.queued_runs as q
join headgate.pipelines as p using (pipeline_id)
left join headgate.process_executions as r on r.pipeline_id = q.pipeline_id and r.status in ('running', 'paused')
order by p.name, position;

comment on view headgate.v_queued_runs is
    'Runs that start one after the other, when their pipeline is free: those that come after other pipelines'' runs, '
    'and back-fills.';
comment on column headgate.v_queued_runs.pipeline is 'The pipeline.';
comment on column headgate.v_queued_runs.run_id is
    'The run''s name; headgate.cancel_execution removes it from the queue.';
comment on column headgate.v_queued_runs.logical_date is 'The date that it is for.';
comment on column headgate.v_queued_runs.is_backfill is 'True: it is a back-fill, for a past date.';
comment on column headgate.v_queued_runs.queued_at is 'When it was queued.';
comment on column headgate.v_queued_runs.position is 'Its place in the pipeline''s queue; the first starts next.';
comment on column headgate.v_queued_runs.reason is 'What the first one waits for.';
