-- A run that succeeded queues a run of each pipeline that comes after its own, for the same date, once the other
-- pipelines that it comes after have succeeded for that date, too. It is queued once, however often they succeed.

create or replace function headgate._queue_followers(
    p_execution_id bigint,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_follower record;
begin
    for v_follower in
        select
            f.pipeline_id, f.after, headgate._date_of_run(e) as date,
            e.is_backfill and headgate._has_dates(f.pipeline_id) as is_backfill
        from headgate.process_executions as e
        join headgate.pipelines as p using (pipeline_id)
        join headgate.pipelines as f on p.name = any (f.after) and not f.is_retired
        where e.execution_id = p_execution_id
            and e.driver = 'headgate'
        order by f.pipeline_id
    loop
        perform headgate._lock(format('start %s', v_follower.pipeline_id));  -- of two that end at once, one sees both
        insert into headgate.queued_runs (pipeline_id, run_id, logical_date, is_backfill, queued_at)
        select v_follower.pipeline_id, r.run_id, v_follower.date, v_follower.is_backfill, p_now
        from (select format('after-%sZ', to_json(v_follower.date at time zone 'UTC') #>> '{}') as run_id) as r
        where headgate._have_succeeded(v_follower.after, v_follower.date)
            and not exists (
                select
                from headgate.process_executions as x
                where x.pipeline_id = v_follower.pipeline_id
                    and x.run_id = r.run_id
            )
        on conflict on constraint a_run_is_queued_once do nothing;
    end loop;
end;
$func$;

-- A run for no date is for the moment it started.
create or replace function headgate._date_of_run(p_execution headgate.process_executions)
returns timestamptz
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_execution.logical_date, p_execution.started_at);
$func$;

create or replace function headgate._have_succeeded(
    p_pipelines text[],
    p_date timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select not exists (
        select
        from unnest(p_pipelines) as n (name)
        where not exists (
            select
            from headgate.process_executions as e
            join headgate.pipelines as p using (pipeline_id)
            where p.name = n.name
                and e.driver = 'headgate'
                and e.status = 'succeeded'
                and headgate._date_of_run(e) = p_date
        )
    );
$func$;
