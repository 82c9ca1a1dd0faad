-- Count what pages, metrics and analysts read but would take too long to count for each reader. One session counts at a
-- time, and the counts take at most a twentieth of its time.

create or replace function headgate.keep_counts()
returns table (has_counted boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := headgate.clock();
    v_began constant timestamptz := clock_timestamp();
begin
    perform from headgate.count_times as t for update skip locked;
    has_counted := found and headgate._are_counts_due();
    if has_counted then
        perform headgate._count_groups(), headgate._count_forecasts(v_at);
        update headgate.count_times as t
        set counted_at = v_at,
            next_at = v_at + greatest(interval '1 minute', 20 * (clock_timestamp() - v_began));
    end if;
    return next;
end;
$func$;

comment on function headgate.keep_counts() is
    'Count what pages and metrics show, if it is time to; the heartbeat tells a runner when.';

create or replace function headgate._count_groups()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.group_counts;
    insert into headgate.group_counts (
        operation_id, group_key, assets, fresh, stale, never, oldest_watermark, due, oldest_due_at
    )
    select
        g.operation_id, g.group_key, g.assets, g.fresh, g.stale, g.never, g.oldest_watermark, g.due, g.oldest_due_at
    from headgate._group_states as g;

    delete from headgate.group_standings;
    insert into headgate.group_standings (operation_id, group_key, standing, assets)
    select g.operation_id, g.group_key, g.standing, g.assets
    from headgate._group_standings as g;

    delete from headgate.group_names;
    insert into headgate.group_names (universe, group_key, attribute, name)
    select n.universe, n.group_key, n.attribute, n.name
    from headgate._names as n;
$func$;

-- Small pipelines are sorted as fast as they are read, and many classes are slower to read than to make. What is wrong
-- with a pipeline is told to who asks for its forecast.
create or replace function headgate._count_forecasts(p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
begin
    delete from headgate.forecast_starts;
    for v_pipeline in
        select p.*
        from headgate.pipelines as p
        where (
            select sum(c.assets)
            from headgate.group_counts as c
            join headgate.operations as o using (operation_id)
            where exists (
                select
                from headgate.pipeline_steps as s
                where s.pipeline_id = p.pipeline_id
                    and o.name = any (s.operations)
            )
        ) > 5000
    loop
        begin
            insert into headgate.forecast_starts (pipeline_id, options, classes)
            select v_pipeline.pipeline_id, headgate._start_options(v_pipeline.pipeline_id, n.options), f.classes
            from (select headgate._what_if_options(v_pipeline, '{}') as options) as n
            cross join lateral headgate._forecast_start(v_pipeline.pipeline_id, n.options, p_at) as f
            where cardinality(f.classes) < 10000;
        exception
            when others then
                raise warning 'no forecast is prepared for pipeline %: %', v_pipeline.name, sqlerrm;
        end;
    end loop;
end;
$func$;
