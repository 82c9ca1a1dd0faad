-- Days of the last week whose state the maintenance did not note, since the first day after a run.

create or replace function headgate._examine_days()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'history by day', 'warn',
        'freshness and backlog were not noted on ' || string_agg(d.day::text, ', ' order by d.day),
        'run the pipeline headgate_maintenance every day: a day that is over cannot be noted', false
    from (
        select
            (headgate.clock() at time zone 'UTC')::date as today,
            (min(e.started_at) at time zone 'UTC')::date as first_run
        from headgate.process_executions as e
        having count(*) > 0
    ) as t
    cross join lateral (
        select n.at::date as day
        from generate_series(
            greatest(t.today - 7, t.first_run + 1)::timestamp, (t.today - 1)::timestamp, interval '1 day'
        ) as n (at)
    ) as d
    where not exists (select from headgate.state_days as s where s.day = d.day)
    having count(*) > 0;
$func$;
