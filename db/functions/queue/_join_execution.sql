-- Called before locking steps: an execution that ends by itself is locked, any other is only kept from ending.

create or replace function headgate._join_execution(
    p_execution_id bigint,
    out is_over boolean,
    out is_reopened boolean
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    select e.finished_at is not null, e.driver = 'airflow' and e.reopened_at is not null
    into is_over, is_reopened
    from headgate.process_executions as e
    where e.execution_id = p_execution_id
    for key share;
    if is_reopened then
        select e.finished_at is not null, e.reopened_at is not null
        into is_over, is_reopened
        from headgate.process_executions as e
        where e.execution_id = p_execution_id
        for no key update;
    end if;
end;
$func$;
