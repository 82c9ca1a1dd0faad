-- The only place where the planner decides: ranks what is due, chooses bulk calls, cuts where the budget ends, and
-- gives reasons. It works on classes of similar assets, so its cost grows with their variety, not their number. The
-- real plan, explain_plan and forecast differ only in where their classes come from. Changes nothing. Its settings
-- also apply to the functions that it calls.

create or replace function headgate._decide(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_quota integer,
    p_needs headgate.plan_need[],
    p_classes headgate.plan_class[],
    p_used jsonb default '{}'
)
returns table (
    class_no integer, first_nth bigint, last_nth bigint, rank bigint, call_no integer, position_in_call bigint,
    is_granted boolean, reason text, units_before bigint, units_each bigint, units_left bigint, run_at timestamptz,
    provider_id bigint, served_operation_id bigint, call_operation_id bigint, sessions date[], call_units bigint,
    cost bigint, other_cost bigint
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set jit = off
as $func$
declare
    v_is_daily constant boolean := p_options.is_daily;
    v_budgets constant headgate.plan_budget[] := array(
        select b from headgate._budgets(p_pipeline_id, p_options, p_needs, p_at, p_quota, p_used) as b
    );
    v_classes constant headgate.ranked_class[] := array(
        select c from headgate._rank_classes(p_classes, p_needs, p_at) as c
    );
    v_calls constant headgate.class_call[] := array(
        select v from headgate._choose_calls(v_classes, p_needs, p_at, v_is_daily) as v
    );
    v_entries constant headgate.plan_entry[] := array(
        select e from headgate._rank_entries(v_classes, v_calls, p_needs) as e
    );
    v_grants constant headgate.entry_grant[] := array(
        select g from headgate._grant_units(v_entries, v_classes, v_calls, p_needs, v_budgets, p_at) as g
    );
begin
    return query select s.* from headgate._spread_grants(v_entries, v_grants, v_calls, p_at) as s;
end;
$func$;
