create or replace function headgate._totals(
    p_execution_id bigint,
    out planned integer,
    out succeeded integer,
    out failed integer,
    out deferred integer,
    out skipped integer,
    out units integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        coalesce(sum(s.planned), 0), coalesce(sum(s.succeeded), 0), coalesce(sum(s.failed), 0),
        coalesce(sum(s.deferred), 0), coalesce(sum(s.skipped), 0), coalesce(sum(s.units), 0)
    from headgate._step_counters as s
    where s.execution_id = p_execution_id;
$func$;
