-- Queue a run for each day, both ends included, for which none has succeeded, is open or is queued; oldest first. They
-- start one after the other. A day is one of UTC, and a run is for the day of its logical date.

create or replace function headgate.backfill(
    p_pipeline text,
    p_from date,
    p_to date,
    p_confirm boolean default false
)
returns table (days integer, queued integer, done integer, waiting integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_missing date[];
begin
    perform headgate._check_days(p_from, p_to, (v_now at time zone 'UTC')::date);
    perform headgate._raise(o.code, o.message, o.hint)
    from headgate._start_obstacle(v_pipeline) as o
    where v_pipeline.is_retired;
    perform headgate._check_dated(v_pipeline, p_from::timestamp at time zone 'UTC');
    perform headgate._lock(format('start %s', v_pipeline.pipeline_id));  -- none is queued twice

    select
        count(*), count(*) filter (where d.is_done), count(*) filter (where d.is_waiting),
        coalesce(array_agg(d.day order by d.day) filter (where not d.is_done and not d.is_waiting), '{}')
    into days, done, waiting, v_missing
    from headgate._days_of_runs(v_pipeline.pipeline_id, p_from, p_to) as d;
    queued := cardinality(v_missing);
    if queued > 100 and not coalesce(p_confirm, false) then
        perform headgate._raise(
            'HG024',
            format(
                'a back-fill of pipeline %s from %s to %s starts %s', p_pipeline, p_from, p_to,
                headgate._count_words(queued, 'run')
            ),
            'confirm more than 100: --yes, or p_confirm => true; headgate.forecast and headgate.explain_plan say what '
            'a run costs'
        );
    end if;
    perform headgate._queue_days(v_pipeline.pipeline_id, v_missing, v_now);
    perform headgate._record_action(
        'backfill', jsonb_build_object('pipeline', p_pipeline, 'from', p_from, 'to', p_to),
        jsonb_build_object('queued', queued)
    );
    return next;
end;
$func$;

comment on function headgate.backfill(text, date, date, boolean) is
    'Queue a run with driver headgate for each day for which none has succeeded; returns the number of days, and how '
    'many were queued now, done before, and open or queued before. More than 100 runs require p_confirm.';

create or replace function headgate._check_days(
    p_from date,
    p_to date,
    p_today date
)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_from is null or p_to is null or not isfinite(p_from) or not isfinite(p_to) then
        perform headgate._raise('HG008', 'a back-fill needs its first and its last day', 'e.g. 2026-01-01 2026-01-31');
    elsif p_from > p_to then
        perform headgate._raise(
            'HG008', format('the first day, %s, is after the last one, %s', p_from, p_to),
            format('first day, then last day: %s %s', p_to, p_from)
        );
    elsif p_to > p_today then
        perform headgate._raise(
            'HG008', format('%s is in the future: today is %s', p_to, p_today),
            format('a back-fill is for days that are past: up to %s', p_today)
        );
    end if;
end;
$func$;

-- For each day: whether a run for it has succeeded, or else is open or queued.
create or replace function headgate._days_of_runs(
    p_pipeline_id bigint,
    p_from date,
    p_to date
)
returns table (day date, is_done boolean, is_waiting boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with run as (
        select
            (e.logical_date at time zone 'UTC')::date as day, bool_or(e.status = 'succeeded') as is_done,
            bool_or(e.finished_at is null) as is_waiting
        from headgate.process_executions as e
        where e.pipeline_id = p_pipeline_id
            and e.logical_date is not null
        group by 1
    ),
    queue as (
        select distinct (q.logical_date at time zone 'UTC')::date as day
        from headgate.queued_runs as q
        where q.pipeline_id = p_pipeline_id
    )
    select
        d.day, coalesce(r.is_done, false),
        not coalesce(r.is_done, false) and (coalesce(r.is_waiting, false) or q.day is not null)
    from (select p_from + n as day from generate_series(0, p_to - p_from) as n) as d
    left join run as r on r.day = d.day
    left join queue as q on q.day = d.day;
$func$;

-- backfill-<day>; if that run did not succeed, the next one has a number.
create or replace function headgate._queue_days(
    p_pipeline_id bigint,
    p_days date[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into headgate.queued_runs (pipeline_id, run_id, logical_date, is_backfill, queued_at)
    select
        p_pipeline_id, format('backfill-%s%s', d.day, '-' || (t.latest + 1)), d.day::timestamp at time zone 'UTC', true,
        p_now
    from unnest(p_days) as d (day)
    left join (
        select m[1] as day, max(coalesce(m[2]::integer, 1)) as latest
        from headgate.process_executions as e
        cross join regexp_match(e.run_id, '^backfill-(\d{4,}-\d\d-\d\d)(?:-(\d{1,6}))?$') as m
        where e.pipeline_id = p_pipeline_id
            and m is not null
        group by m[1]
    ) as t on t.day = d.day::text
    order by d.day;
    if found then
        perform pg_notify('headgate_jobs', '');
    end if;
end;
$func$;
