-- What is due. Reads one index per operation and priority, so its cost depends on what is due, not on what exists.

-- For a run of a past date: everything not done for that date, whatever is due today, for operations whose requests
-- name the date.
create or replace function headgate._undone_pairs(
    p_operation_ids bigint[],
    p_execution_id bigint,
    p_at timestamptz
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, missing_from date
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.priority, p_at, null::date
    from headgate.asset_processing_state as s
    where s.operation_id = any (p_operation_ids)
        and s.chunk_id is null
        and not headgate._is_left_out(s)
        and not exists (
            select
            from headgate.asset_processing_details as d
            join headgate.process_executions as e using (execution_id)
            join headgate.process_executions as this
                on this.pipeline_id = e.pipeline_id
                and this.logical_date = e.logical_date
            where d.asset_id = s.asset_id
                and d.operation_id = s.operation_id
                and d.status in ('success', 'skipped')
                and e.is_backfill
                and this.execution_id = p_execution_id
        );
$func$;

-- Due pairs of a pipeline with their step and ranking data. A round uses the given pairs instead, a run of a past date
-- what was not done for it, and a further wave of a step only what its run has not done: nothing is done twice there. A
-- few pairs look up their assets one by one, to which their number as a limit leads the optimizer; many are joined with
-- all assets.
create or replace function headgate._candidates(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_step text default null,
    p_is_round boolean default false
)
returns table (
    operation_id bigint, asset_id bigint, step text, group_key text, calendar text, priority smallint,
    due_since timestamptz, weight double precision, missing_from date
)
language plpgsql
stable
rows 10000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = auto
set enable_nestloop = on
set jit = off
as $func$
declare
    v_past_ids constant bigint[] := array(
        select o.operation_id
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as n
        join headgate.operations as o using (operation_id)
        where p_options.is_backfill
            and o.due_rule <> 'run'  -- due whatever was done for the date
            and headgate._is_dated(o)
    );
    v_operation_ids constant bigint[] := array(
        select o.operation_id
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as o
        where o.operation_id <> all (v_past_ids)
    );
    v_asset_ids constant bigint[] := headgate._selected_assets(p_pipeline_id, p_options);
    v_began_at constant timestamptz := (  -- of a run whose step has been planned before
        select e.started_at
        from headgate.process_steps as s
        join headgate.process_executions as e using (execution_id)
        where s.execution_id = p_options.execution_id
            and s.step = p_step
            and s.wave > 1
    );
    v_few integer;  -- how many pairs are due; null: many
begin
    if p_is_round then
        return query
        select
            f.operation_id, f.asset_id, p_step, f.group_key, f.calendar, f.priority, f.due_since, f.weight,
            null::date
        from headgate._failed_pairs(p_options.execution_id, p_step) as f;
        return;
    end if;

    select case when count(*) <= 5000 and v_past_ids = '{}' then count(*) end into v_few
    from headgate._due_pairs(v_operation_ids, p_at, 5001);
    perform
        set_config('enable_nestloop', case when v_few is null then 'off' else 'on' end, true),
        set_config('plan_cache_mode', case when v_few is null then 'force_custom_plan' else 'auto' end, true);
    return query
    with due as materialized (
        select d.*, a.group_key, a.calendar, a.weight
        from (
            (select * from headgate._due_pairs(v_operation_ids, p_at) limit v_few)
            union all
            select * from headgate._due_daily(v_operation_ids, p_at) where p_options.is_daily
            union all
            select u.*
            from headgate._undone_pairs(v_past_ids, p_options.execution_id, p_at) as u
            where v_past_ids <> '{}'
        ) as d
        join headgate.operations as o using (operation_id)
        join headgate.assets as a on a.asset_id = d.asset_id and a.universe = o.universe
        where a.is_active
            and (
                v_began_at is null
                or not exists (
                    select
                    from headgate.asset_processing_details as t
                    where t.asset_id = d.asset_id
                        and t.operation_id = d.operation_id
                        and t.execution_id = p_options.execution_id
                        and t.ended_at >= v_began_at
                )
            )
            and (v_asset_ids is null or d.asset_id in (select u.asset_id from unnest(v_asset_ids) as u (asset_id)))
    ),
    step_of as materialized (
        select
            k.operation_id, k.group_key,
            headgate._step_of(p_pipeline_id, p_options, k.operation_id, k.group_key, p_step) as step
        from (select distinct d.operation_id, d.group_key from due as d) as k
    )
    select
        d.operation_id, d.asset_id, s.step, d.group_key, d.calendar, d.priority, d.due_since, d.weight,
        d.missing_from
    from due as d
    join step_of as s using (operation_id, group_key)
    where s.step is not null;
end;
$func$;

-- Pairs that would also be due if every day were a session of every calendar.
create or replace function headgate._due_daily(
    p_operation_ids bigint[],
    p_at timestamptz
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, missing_from date
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.priority, date_trunc('day', p_at, 'UTC'), headgate._missing_from(s, p_at)
    from headgate.asset_processing_state as s
    join headgate.operations as o using (operation_id)
    where s.operation_id = any (p_operation_ids)
        and o.due_rule = 'session'
        and s.next_due_at > p_at
        and s.watermark < date_trunc('day', p_at, 'UTC')
        and s.chunk_id is null;
$func$;
