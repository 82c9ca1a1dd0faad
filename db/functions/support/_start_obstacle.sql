create or replace function headgate._start_obstacle(p_pipeline headgate.pipelines)
returns table (code text, message text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'HG001', format('pipeline %s is retired: its plan no longer declares it', p_pipeline.name),
        headgate._known('known pipelines', p_pipeline.name, array(
            select p.name from headgate.pipelines as p where not p.is_retired
        ))
    where p_pipeline.is_retired
    union all
    select
        'HG013', format('pipeline %s is paused', p_pipeline.name),
        case
            when p_pipeline.is_paused_with_dag then 'its DAG is paused: unpause it, or call headgate.resume_pipeline'
            else 'headgate.resume_pipeline resumes it'
        end
    where p_pipeline.is_paused
    union all (
        select
            'HG011', format('pipeline %s is already running as %s', p_pipeline.name, quote_literal(e.run_id)),
            format(
                'since %s UTC: wait for it, or end it: %s',
                to_char(e.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                case e.driver
                    when 'airflow' then 'mark its run in Airflow, or headgate.cancel_execution'
                    else 'headgate.finalize_execution or headgate.cancel_execution'
                end
            )
        from headgate.process_executions as e
        where e.pipeline_id = p_pipeline.pipeline_id
            and e.status in ('running', 'paused')
            and not p_pipeline.is_paused
        limit 1
    );
$func$;
