-- The results of checks, one row per run and subject.

drop view if exists headgate.v_check_results cascade;

create view headgate.v_check_results as
select
    r.result_id,
    r.name,
    r.subject,
    p.name as pipeline,
    e.run_id,
    r.checked_at,
    r.status,
    r.value,
    r.message,
    r.failing_since,
    r.failing
from headgate.check_results as r
left join headgate.process_executions as e using (execution_id)
left join headgate.pipelines as p using (pipeline_id);

comment on view headgate.v_check_results is 'Results of checks, with failing rows, as long as history is kept.';
comment on column headgate.v_check_results.result_id is 'Order of writing.';
comment on column headgate.v_check_results.name is 'The check.';
comment on column headgate.v_check_results.subject is 'The subject, if it has for_each; otherwise empty.';
comment on column headgate.v_check_results.pipeline is 'The pipeline of the run; null: it ran outside of a run.';
comment on column headgate.v_check_results.run_id is 'The run.';
comment on column headgate.v_check_results.checked_at is 'When it ran.';
comment on column headgate.v_check_results.status is 'passed, warned, failed, or errored: its query did not end.';
comment on column headgate.v_check_results.value is 'Its value; null: too little to judge by, which passes.';
comment on column headgate.v_check_results.message is 'What is wrong; null: it passed.';
comment on column headgate.v_check_results.failing_since is 'Since when it had not passed then; null: it passed.';
comment on column headgate.v_check_results.failing is 'Failing rows: the first keep_rows, at most 64 kB.';
