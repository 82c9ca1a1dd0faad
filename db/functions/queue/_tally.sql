-- Count fates in one pass: each look into their array costs as much as a look into a table.

create or replace function headgate._tally(p_fates headgate.job_fate[])
returns headgate.job_tally
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_tally headgate.job_tally;
begin
    select
        count(*) filter (where f.fate = 'success'),
        count(*) filter (where f.fate = 'failed'),
        count(*) filter (where f.fate = 'deferred'),
        count(*) filter (where f.fate = 'deferred' and headgate._is_fault(f.reason)),
        count(*) filter (where f.fate = 'skipped'),
        count(*) filter (where f.fate = 'cancelled'),
        count(*) filter (where f.fate = 'park'),
        coalesce(sum(f.units) filter (where f.fate <> 'park'), 0),
        coalesce(sum(f.refund), 0),
        count(*) filter (where f.fate = 'deferred' and headgate._is_internal_fault(f.reason))
    into v_tally
    from unnest(p_fates) as f;

    return v_tally;
end;
$func$;
