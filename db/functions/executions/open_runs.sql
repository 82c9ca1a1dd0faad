-- Runs that a scheduler has not ended yet, so that it can check whether they still exist. Reopened executions are not
-- included: their run may have ended, and they end by themselves.

create or replace function headgate.open_runs(
    p_deployment text default null
)
returns table (pipeline text, run_id text, dag text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, e.run_id, coalesce(e.dag, p.name)
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.status in ('running', 'paused')
        and e.driver = 'airflow'
        and e.reopened_at is null
        and e.deployment is not distinct from p_deployment
    order by e.execution_id;
$func$;

comment on function headgate.open_runs(text) is
    'Executions that a scheduler has not ended yet, so that it can check whether their runs still exist.';
