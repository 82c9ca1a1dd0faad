-- The output of each step of an execution for later steps: what its function returned, or its jobs' outputs.

drop view if exists headgate._step_outputs cascade;

create view headgate._step_outputs as
select
    s.execution_id,
    s.step,
    coalesce(s.output, j.output) as output
from headgate.process_steps as s
left join lateral (
    select case
        when count(*) = 1 and bool_and(o.is_only) then (array_agg(o.output))[1]
        else jsonb_object_agg(a.code, o.output)
    end as output
    from headgate.job_outputs as o
    join headgate.assets as a using (asset_id)
    where o.execution_id = s.execution_id
        and o.step = s.step
) as j on s.kind = 'fan_out';

comment on view headgate._step_outputs is 'The output of each step of an execution, for later steps.';
comment on column headgate._step_outputs.execution_id is 'The execution.';
comment on column headgate._step_outputs.step is 'The step.';
comment on column headgate._step_outputs.output is
    'What its function returned; the output of its only asset, or those of its assets by code; null: none.';
