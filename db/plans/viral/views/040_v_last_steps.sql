-- The steps of the last flywheel that has ended, for metrics.

drop view if exists viral.v_last_steps cascade;

create view viral.v_last_steps as
select s.step, s.started_at, s.finished_at
from headgate.v_execution_steps as s
where s.pipeline = 'viral_learning_flywheel'
    and s.status in ('succeeded', 'failed')
    and s.run_id = (
        select e.run_id
        from headgate.v_recent_executions as e
        where e.pipeline = 'viral_learning_flywheel'
            and e.finished_at is not null
        order by e.started_at desc
        limit 1
    );

comment on view viral.v_last_steps is 'The steps of the last flywheel that has ended and when they ran.';
comment on column viral.v_last_steps.step is 'The step.';
comment on column viral.v_last_steps.started_at is 'When it started.';
comment on column viral.v_last_steps.finished_at is 'When it ended.';
