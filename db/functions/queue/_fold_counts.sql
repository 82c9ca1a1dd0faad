-- Replace many rows of job_counts by one for each operation and status. Readers see either; another session that does
-- the same at this moment finds the rows gone.

create or replace function headgate._fold_counts()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with taken as (
        delete from headgate.job_counts as c
        where (select count(*) from (select from headgate.job_counts limit 1000) as n) = 1000
        returning c.*
    )
    insert into headgate.job_counts (
        operation_id, status, jobs, requests, retries, units, duration_ms, le_100ms, le_250ms, le_500ms, le_1s,
        le_2500ms, le_10s, le_1min, le_5min
    )
    select
        t.operation_id, t.status, sum(t.jobs), sum(t.requests), sum(t.retries), sum(t.units), sum(t.duration_ms),
        sum(t.le_100ms), sum(t.le_250ms), sum(t.le_500ms), sum(t.le_1s), sum(t.le_2500ms), sum(t.le_10s),
        sum(t.le_1min), sum(t.le_5min)
    from taken as t
    group by t.operation_id, t.status;
$func$;
