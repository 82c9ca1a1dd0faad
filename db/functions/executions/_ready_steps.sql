-- Pending steps whose rule can be decided, and why those that will not run are skipped. one_success and one_failed do
-- not wait for all. A retry is not decided again.

create or replace function headgate._ready_steps(
    p_execution_id bigint,
    p_now timestamptz
)
returns table (step text, skip_reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.step, case when s.retry_at is null then headgate._by_rule(s.trigger_rule, d.states) end
    from headgate.process_steps as s
    cross join lateral (
        select
            coalesce(array_agg(headgate._counts_as(u.status, u.skip_reason)), '{}') as states,
            count(*) filter (where u.status in ('pending', 'running')) as open_steps
        from headgate.process_steps as u
        where u.execution_id = s.execution_id
            and u.step = any (s.depends_on)
    ) as d
    where s.execution_id = p_execution_id
        and s.status = 'pending'
        and coalesce(s.retry_at <= p_now, true)
        and (
            d.open_steps = 0
            or s.trigger_rule = 'one_success' and 'success' = any (d.states)
            or s.trigger_rule = 'one_failed' and d.states && '{failed,upstream_failed}'
        )
    order by s.position;
$func$;

-- Null if the step runs; otherwise why it is skipped: upstream_failed if Airflow calls it that, rule if Airflow says
-- skipped.
create or replace function headgate._by_rule(
    p_trigger_rule text,
    p_states text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when d.total = 0 or p_trigger_rule = 'all_done' then null
        when p_trigger_rule = 'all_success' then
            case when d.failed > 0 then 'upstream_failed' when d.skipped > 0 then 'rule' end
        when p_trigger_rule = 'one_success' then
            case when d.passed > 0 then null when d.skipped = d.total then 'rule' else 'upstream_failed' end
        when p_trigger_rule = 'one_failed' then case when d.failed = 0 then 'rule' end
        when p_trigger_rule = 'all_failed' then case when d.failed < d.total then 'rule' end
        when p_trigger_rule = 'none_failed' then case when d.failed > 0 then 'upstream_failed' end
        when p_trigger_rule = 'none_failed_min_one_success' then
            case when d.failed > 0 then 'upstream_failed' when d.passed = 0 then 'rule' end
    end
    from (
        select
            cardinality(p_states) as total,
            count(*) filter (where u.state = 'success') as passed,
            count(*) filter (where u.state in ('failed', 'upstream_failed')) as failed,
            count(*) filter (where u.state = 'skipped') as skipped
        from unnest(p_states) as u (state)
    ) as d;
$func$;
