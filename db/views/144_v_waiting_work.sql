-- What waits, whatever its step: one row for each reason of a run.

drop view if exists headgate.v_waiting_work cascade;

create view headgate.v_waiting_work as
select
    w.pipeline,
    w.run_id,
    w.operation,
    w.reason,
    min(w.step) as step,
    sum(w.jobs) as jobs,
    min(w.next_try_at) as next_try_at,
    min(w.gives_up_at) as gives_up_at,
    sum(sum(w.jobs)) over () as all_jobs
from headgate.v_waiting as w
group by w.pipeline, w.run_id, w.operation, w.reason
order by next_try_at nulls first, w.pipeline, w.operation, w.reason;

comment on view headgate.v_waiting_work is
    'headgate.v_waiting in fewer rows: a run''s operation and reason, whatever the step.';
comment on column headgate.v_waiting_work.pipeline is 'The pipeline.';
comment on column headgate.v_waiting_work.run_id is
    'The run in which it waits, which left it out of its plan, or which is queued first.';
comment on column headgate.v_waiting_work.operation is
    'The operation; null: a whole step waits for its retry, or whole runs.';
comment on column headgate.v_waiting_work.reason is 'Why it waits.';
comment on column headgate.v_waiting_work.step is 'The step, or the first of several by name; null: whole runs wait.';
comment on column headgate.v_waiting_work.jobs is 'How many jobs; of queued runs: how many runs.';
comment on column headgate.v_waiting_work.next_try_at is 'When the first of them continues; null: not by time alone.';
comment on column headgate.v_waiting_work.gives_up_at is
    'When the first run stops waiting; null: it does not give up by time.';
comment on column headgate.v_waiting_work.all_jobs is 'The sum of jobs over all rows.';
