-- Refresh statistics of tables whose content changes completely between vacuums.

create or replace function headgate.maintain_statistics(
    p_pipeline text,
    p_run_id text
)
returns table (analyzed integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table text;
begin
    analyzed := 0;
    foreach v_table in array array[
        'assets', 'asset_processing_state', 'asset_processing_details', 'chunks', 'process_steps', 'process_executions'
    ] loop
        execute format('analyze headgate.%I', v_table);
        analyzed := analyzed + 1;
    end loop;
    return next;
end;
$func$;

comment on function headgate.maintain_statistics(text, text) is
    'Step of the maintenance: analyze the tables the planner reads; returns how many.';
