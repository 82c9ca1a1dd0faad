-- How long the last runs took, what they processed, and how many chunks wait.

create or replace function onpoint.check_latency()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'status', case when coalesce(r.minutes, 0) < 60 and q.ready < 1000 then 'HEALTHY' else 'WARNING' end,
        'average_minutes', r.minutes,
        'records_last_hour', p.records,
        'queue_size', q.ready
    )
    from (
        select round(extract(epoch from avg(e.duration)) / 60, 2) as minutes
        from headgate.v_recent_executions as e
        where e.pipeline = 'onpoint_data_pipeline'
            and e.finished_at > headgate.clock() - interval '7 days'
    ) as r
    cross join (
        select coalesce(sum(d.ready), 0) as ready from headgate.v_queue_depth as d
    ) as q
    cross join (
        select count(*) as records
        from (
            select t.etl_processed_at from onpoint.posts as t
            union all
            select t.etl_processed_at from onpoint.users as t
            union all
            select t.etl_processed_at from onpoint.comments as t
            union all
            select t.etl_processed_at from onpoint.stories as t
        ) as t
        where t.etl_processed_at > headgate.clock() - interval '1 hour'
    ) as p;
$func$;

comment on function onpoint.check_latency() is
    'HEALTHY while the runs of a week take under an hour on average and under 1,000 chunks wait, else WARNING.';
