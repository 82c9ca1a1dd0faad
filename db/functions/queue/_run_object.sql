-- The run as requests, ingest functions and handlers see it: see headgate.v_run_documents.

create or replace function headgate._run_object(p_execution headgate.process_executions)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return (
        select d.run
        from headgate.pipelines as p
        join headgate.v_run_documents as d on d.pipeline = p.name
        where p.pipeline_id = p_execution.pipeline_id
            and d.run_id = p_execution.run_id
    );
end;
$func$;
