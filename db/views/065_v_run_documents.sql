-- The run document of each execution, for functions and templates. A run's date is its logical date; a run without one
-- is for the moment it started.

drop view if exists headgate.v_run_documents cascade;

create view headgate.v_run_documents as
select
    p.name as pipeline,
    e.run_id,
    r.run,
    jsonb_build_object(
        'run', r.run || jsonb_build_object(
            'now', to_char(headgate.clock() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ),
        'params', e.params,
        'steps', (
            select jsonb_object_agg(s.step, jsonb_build_object(
                'status', s.status,
                'counts', jsonb_build_object(
                    'planned', s.planned, 'succeeded', s.succeeded, 'failed', s.failed, 'deferred', s.deferred,
                    'skipped', s.skipped, 'degraded', s.degraded, 'units', s.units
                ),
                'output', o.output
            ))
            from headgate._step_counters as s
            join headgate._step_outputs as o using (execution_id, step)
            where s.execution_id = e.execution_id
        )
    ) as document
from headgate.process_executions as e
join headgate.pipelines as p using (pipeline_id)
cross join lateral (
    select jsonb_build_object(
        'id', e.run_id,
        'pipeline', p.name,
        'logical_date', to_char(d.at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'date', to_char(d.at, 'YYYY-MM-DD'),
        'stamp', to_char(e.started_at at time zone 'UTC', 'YYYYMMDD_HH24MISS'),
        'started_at', to_char(e.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ) as run
    from (select coalesce(e.logical_date, e.started_at) at time zone 'UTC' as at) as d
) as r;

comment on view headgate.v_run_documents is 'The run document of each execution, as templates and conditions read it.';
comment on column headgate.v_run_documents.pipeline is 'The pipeline.';
comment on column headgate.v_run_documents.run_id is 'The run''s name.';
comment on column headgate.v_run_documents.run is
    '{id, pipeline, logical_date, date, stamp, started_at}: what templates name as {run.<key>}.';
comment on column headgate.v_run_documents.document is
    '{run, params, steps: {<step>: {status, counts, output}}}; run has `now`, too.';
