-- Runs that a scheduler has open here: it looks whether it still has them. What was opened again after its end is not
-- among them: its run has ended there, perhaps, and it ends by itself.

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
    'Executions that a scheduler has not ended yet: it looks whether their runs are there.';
