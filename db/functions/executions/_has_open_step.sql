create or replace function headgate._has_open_step(p_execution_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.process_steps as s
        where s.execution_id = p_execution_id
            and s.status in ('pending', 'running')
    );
$func$;
