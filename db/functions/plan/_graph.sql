-- The fan-out steps: as they were when the execution started, or as they are now for a what-if question.

create or replace function headgate._graph(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns table (step text, "position" integer, operations text[], group_keys text[])
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select s.step, s.position, s.operations, s.group_keys
    from headgate.process_steps as s
    where s.execution_id = p_options.execution_id
        and s.kind = 'fan_out'
    union all
    select s.step, s.position, s.operations, s.group_keys
    from headgate.pipeline_steps as s
    where s.pipeline_id = p_pipeline_id
        and s.kind = 'fan_out'
        and p_options.execution_id is null;
$func$;
