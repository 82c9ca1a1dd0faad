-- Add the hours that are over to headgate.job_hours, from the first that is open until so many jobs are counted: the
-- rest is for the next call. A transaction may be as old as the runners' limit when it commits, so an hour counts as
-- over an hour later. One session adds hours at a time.

create or replace function headgate._keep_hours(p_jobs bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- an hour's rows lie together: any other scan would read all those before it
set enable_indexscan = off
set enable_indexonlyscan = off
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_hour timestamptz;
    v_left bigint := p_jobs;
begin
    perform from headgate.kept_hours as k for update skip locked;
    if not found then
        return;
    end if;
    v_hour := (select s.hour from headgate._open_since as s);
    while v_hour <= v_now - interval '2 hours' and v_left > 0 loop
        if exists (  -- most hours of a database that rests have no jobs
            select from headgate.asset_processing_details as d
            where d.ended_at >= v_hour
                and d.ended_at < v_hour + interval '1 hour'
        ) then
            with kept as (
                insert into headgate.job_hours (
                    hour, pipeline_id, operation_id, status, jobs, cached, records, calls, units, p50_seconds,
                    p95_seconds
                )
                select
                    n.hour, n.pipeline_id, n.operation_id, n.status, n.jobs, n.cached, n.records, n.calls, n.units,
                    n.p50_seconds, n.p95_seconds
                from headgate._open_hours as n
                where n.hour = v_hour
                returning jobs
            )
            select v_left - coalesce(sum(k.jobs), 0) into v_left from kept as k;
        end if;
        v_hour := v_hour + interval '1 hour';
    end loop;
    update headgate.kept_hours as k set until = v_hour where k.until is distinct from v_hour;
end;
$func$;
