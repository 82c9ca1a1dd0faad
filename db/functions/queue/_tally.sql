-- Count results in one pass: each scan of their array costs as much as a scan of a table.

create or replace function headgate._tally(p_job_results headgate.job_result[])
returns headgate.job_tally
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_tally headgate.job_tally;
begin
    select
        count(*) filter (where f.result = 'success'),
        count(*) filter (where f.result = 'failed'),
        count(*) filter (where f.result = 'deferred'),
        count(*) filter (where f.result = 'deferred' and headgate._is_fault(f.reason)),
        count(*) filter (where f.result = 'skipped'),
        count(*) filter (where f.result = 'cancelled'),
        count(*) filter (where f.result = 'park'),
        coalesce(sum(f.units) filter (where f.result <> 'park'), 0),
        coalesce(sum(f.refund), 0),
        count(*) filter (where f.result = 'deferred' and headgate._is_internal_fault(f.reason)),
        count(*) filter (where f.result = 'success' and f.verdict = 'degraded')
    into v_tally
    from unnest(p_job_results) as f;

    return v_tally;
end;
$func$;
