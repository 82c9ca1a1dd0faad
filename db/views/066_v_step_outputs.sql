-- What the steps of each run returned, one row for each step that returned something.

drop view if exists headgate.v_step_outputs cascade;

create view headgate.v_step_outputs as
select p.name as pipeline, e.run_id, s.step, o.output
from headgate.process_executions as e
join headgate.pipelines as p using (pipeline_id)
join headgate.process_steps as s using (execution_id)
join headgate._step_outputs as o using (execution_id, step)
where jsonb_typeof(o.output) <> 'null'
order by e.started_at desc, e.execution_id desc, s.position;

comment on view headgate.v_step_outputs is
    'What steps returned, as later steps read it; newest execution first, its steps in order.';
comment on column headgate.v_step_outputs.pipeline is 'The pipeline.';
comment on column headgate.v_step_outputs.run_id is 'The run''s name.';
comment on column headgate.v_step_outputs.step is 'The step.';
comment on column headgate.v_step_outputs.output is
    'What its function returned; the output of its only asset, or those of its assets by code.';
