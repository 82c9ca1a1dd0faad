-- What waits now, for analysts.

drop view if exists headgate_bi.waiting cascade;

create view headgate_bi.waiting as
select
    t.now as observed_at,
    w.pipeline,
    w.run_id,
    w.step,
    w.operation,
    w.reason,
    w.jobs::bigint as jobs,
    w.retries,
    w.next_try_at,
    w.gives_up_at,
    extract(epoch from w.next_try_at - t.now)::double precision as next_try_in_seconds
from headgate.v_waiting as w
cross join (select headgate.clock() as now offset 0) as t;

comment on view headgate_bi.waiting is 'What waits now, why and until when.';
comment on column headgate_bi.waiting.observed_at is 'Now.';
comment on column headgate_bi.waiting.pipeline is 'The pipeline.';
comment on column headgate_bi.waiting.run_id is 'The run in which it waits, or that left it out of its plan.';
comment on column headgate_bi.waiting.step is 'The step; null: whole runs wait.';
comment on column headgate_bi.waiting.operation is 'The operation; null: a whole step waits, or whole runs.';
comment on column headgate_bi.waiting.reason is 'Why.';
comment on column headgate_bi.waiting.jobs is 'How many jobs; of queued runs: how many runs.';
comment on column headgate_bi.waiting.retries is 'How often one of these jobs has been parked in a row, at most.';
comment on column headgate_bi.waiting.next_try_at is 'When it continues; null: not by time alone.';
comment on column headgate_bi.waiting.gives_up_at is 'When its run stops waiting; null: it does not give up by time.';
comment on column headgate_bi.waiting.next_try_in_seconds is 'Time until it continues; negative: it may at once.';
