create or replace function headgate.maintain_history(
    p_pipeline text,
    p_run_id text
)
returns table (dropped_partitions integer, deleted_executions integer, left_executions integer)
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._clear_stages();
    select headgate._clear_cache();
    select headgate._keep_days();
    select headgate._keep_hours(10000000);
    select r.*
    from headgate.settings as s
    cross join lateral headgate.retain((s.value #>> '{}')::interval) as r
    where s.name = 'keep_history';
$func$;

comment on function headgate.maintain_history(text, text) is
    'Step of the maintenance: keep the figures of the day and of hours that are over, delete history older than the '
    'setting keep_history, staged rows of lost leases, and cached answers that have expired. left_executions: old '
    'executions for the next call, where there are very many.';
