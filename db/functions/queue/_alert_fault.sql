-- An internal fault that defers jobs raises the alert of their step in the same commit. The caller holds the step.

create or replace function headgate._alert_fault(
    p_execution_id bigint,
    p_step text,
    p_reason text,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(
        headgate._step_subject(p.name, p_step), 'error',
        format(
            'run %s deferred jobs by an internal fault: %s; %s, then headgate.retry_failed',
            e.run_id, regexp_replace(p_reason, '^[a-z]+: ', ''),
            case when headgate._is_unknown(p_reason) then 'if not, headgate.reset_asset' else 'correct it' end
        ),
        true, p_now
    )
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_execution_id
        and headgate._is_internal_fault(p_reason);
$func$;
