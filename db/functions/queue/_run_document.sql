-- The run document of an execution: see headgate.v_run_documents.

create or replace function headgate._run_document(p_execution_id bigint)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return (
        select d.document
        from headgate.process_executions as e
        join headgate.pipelines as p using (pipeline_id)
        join headgate.v_run_documents as d on d.pipeline = p.name and d.run_id = e.run_id
        where e.execution_id = p_execution_id
    );
end;
$func$;
