-- A step's state as the trigger rules of later steps see it, in Airflow's words; null: it has not ended. A step that an
-- operator skipped counts as passed, so that the chain continues; a step that never ran because the execution ended
-- counts like one that could not run.

create or replace function headgate._counts_as(
    p_status text,
    p_skip_reason text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_status = 'succeeded' or p_skip_reason = 'operator' then 'success'
        when p_status in ('failed', 'cancelled') then 'failed'
        when p_skip_reason in ('upstream_failed', 'finalized') then 'upstream_failed'
        when p_status = 'skipped' then 'skipped'
    end;
$func$;
