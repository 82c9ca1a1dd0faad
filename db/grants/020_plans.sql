-- Who may call and read what of the plans. A plan is a schema whose owner is a role headgate_plan_<plan>; no plan
-- grants anything itself. One rule for all of them:
--
-- a name that begins with _     is the plan's own affair
-- other tables and views        planner and reader may read them
-- ingest functions              the core calls them (as nobody), and nobody else
-- input functions of handlers   the runner calls them, too
-- other functions               the core and planner may call them; reader too, unless they are volatile
-- the core                      a plan may read the core's views, and call v_callable

do $grants$
declare
    v_everybody constant text :=
        'public, headgate_planner, headgate_runner, headgate_reader, headgate_nobody, headgate_owner';
    v_callable constant text :=
        'headgate.ask_again, headgate.clock, headgate.cover_groups, headgate.database_health, headgate.find_asset, '
        'headgate.in_words, headgate.plan_metrics, '
        'headgate.is_allowed, headgate.published_at, headgate.raise_alert, headgate.reconcile_quota, '
        'headgate.rename_asset, headgate.notify, headgate.reset_asset, headgate.resolve_alert, headgate.run_checks, '
        'headgate.set_asset_active, headgate.step_output, headgate.take_pages, headgate.trust_bulk, '
        'headgate.upsert_assets, headgate.waiting_changes';
    v_plan record;
    v_object record;
begin
    for v_plan in
        select n.oid, n.nspname as schema, r.rolname as role
        from pg_catalog.pg_namespace as n
        join pg_catalog.pg_roles as r on r.oid = n.nspowner
        where r.rolname like 'headgate\_plan\_%'
    loop
        execute format('revoke all on schema %I from public', v_plan.schema);
        execute format('revoke all on all tables in schema %I from %s', v_plan.schema, v_everybody);
        execute format('revoke all on all functions in schema %I from %s', v_plan.schema, v_everybody);
        execute format('alter default privileges for role %I revoke execute on functions from public', v_plan.role);
        execute format('grant usage on schema %I to headgate_nobody, headgate_planner, headgate_reader', v_plan.schema);

        for v_object in
            select c.oid::regclass as name
            from pg_catalog.pg_class as c
            where c.relnamespace = v_plan.oid
                and c.relkind in ('r', 'p', 'v', 'm')
                and not c.relispartition
                and c.relname not like '\_%'
        loop
            execute format('grant select on %s to headgate_planner, headgate_reader', v_object.name);
        end loop;

        for v_object in
            select
                p.oid::regprocedure as name,
                case
                    when p.prorettype = 'headgate.ingest_result'::regtype then 'headgate_nobody'
                    when p.provolatile = 'v' then 'headgate_nobody, headgate_planner'
                    else 'headgate_nobody, headgate_planner, headgate_reader'
                end as roles
            from pg_catalog.pg_proc as p
            where p.pronamespace = v_plan.oid
                and p.proname not like '\_%'
        loop
            execute format('grant execute on function %s to %s', v_object.name, v_object.roles);
        end loop;

        for v_object in
            select distinct to_regprocedure(o.input_function || '(jsonb, bigint[])') as name
            from headgate.operations as o
            where split_part(o.input_function, '.', 1) = v_plan.schema
        loop
            execute format('grant usage on schema %I to headgate_runner', v_plan.schema);
            execute format('grant execute on function %s to headgate_runner', v_object.name);
        end loop;

        for v_object in
            select v.viewname as name
            from pg_catalog.pg_views as v
            where v.schemaname = 'headgate'
                and v.viewname not like '\_%'
        loop
            execute format('grant select on headgate.%I to %I', v_object.name, v_plan.role);
        end loop;
        execute format('grant insert (function, arguments), select (result) on headgate._requests to %I', v_plan.role);
        execute format('grant execute on function %s to %I', v_callable, v_plan.role);
    end loop;
end;
$grants$;
