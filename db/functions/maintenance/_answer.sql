-- Runs a call that was inserted into headgate._requests, with the owner's rights, if the plan's role may change the
-- objects concerned.

create or replace function headgate._answer()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._guard_plan(substring(new.caller from '^headgate_plan_(.*)$'), new.function, new.arguments)
    where new.caller like 'headgate\_plan\_%';

    case new.function
        when 'ask_again' then
            select jsonb_build_object('asked', r.asked) into new.result
            from jsonb_to_record(new.arguments) as a (p_operation text, p_asset_ids bigint[], p_due_at timestamptz[])
            cross join lateral headgate._ask_again(a.p_operation, a.p_asset_ids, a.p_due_at) as r;
        when 'cover_groups' then
            select jsonb_build_object('added', r.added) into new.result
            from jsonb_to_record(new.arguments) as a (p_pipeline text, p_step text, p_group_keys text[])
            cross join lateral headgate._cover_groups(a.p_pipeline, a.p_step, a.p_group_keys) as r;
        when 'notify' then
            perform headgate._notify(a.p_channel, a.p_subject, a.p_body, a.p_key)
            from jsonb_to_record(new.arguments) as a (p_channel text, p_subject text, p_body text, p_key text);
        when 'raise_alert' then
            perform headgate._raise_alert(a.p_severity, a.p_subject, a.p_message, new.caller)
            from jsonb_to_record(new.arguments) as a (p_severity text, p_subject text, p_message text);
        when 'resolve_alert' then
            perform headgate._resolve_alert(new.arguments ->> 'p_subject', new.caller);
        when 'reconcile_quota' then
            select jsonb_build_object('used_elsewhere', r.used_elsewhere) into new.result
            from jsonb_to_record(new.arguments) as a (p_provider text, p_reported integer, p_reported_on date)
            cross join lateral headgate._reconcile_quota(a.p_provider, a.p_reported, a.p_reported_on) as r;
        when 'rename_asset' then
            select jsonb_build_object('renamed', r.renamed) into new.result
            from jsonb_to_record(new.arguments) as a (p_asset_id bigint, p_code text)
            cross join lateral headgate._rename_asset(a.p_asset_id, a.p_code) as r;
        when 'reset_asset' then
            select jsonb_build_object('reset', r.reset) into new.result
            from jsonb_to_record(new.arguments) as a (p_asset_id bigint, p_operations text[])
            cross join lateral headgate._reset_asset(a.p_asset_id, a.p_operations) as r;
        when 'run_checks' then
            new.result := headgate._run_checks(new.arguments ->> 'p_pipeline', new.arguments ->> 'p_run_id');
        when 'set_asset_active' then
            select jsonb_build_object('changed', r.changed) into new.result
            from jsonb_to_record(new.arguments) as a (p_asset_id bigint, p_is_active boolean)
            cross join lateral headgate._set_asset_active(a.p_asset_id, a.p_is_active) as r;
        when 'take_pages' then
            select coalesce(jsonb_agg(r), '[]') into new.result
            from jsonb_to_record(new.arguments) as a (
                p_operation text, p_answers headgate.answer[], p_max_depth integer, p_max_pages integer, p_refuse text[]
            )
            cross join lateral headgate._take_pages(
                a.p_operation, a.p_answers, a.p_max_depth, a.p_max_pages, a.p_refuse
            ) as r;
        when 'trust_bulk' then
            select jsonb_build_object('trusted', r.trusted) into new.result
            from jsonb_to_record(new.arguments) as a (p_operation text, p_asset_ids bigint[])
            cross join lateral headgate._trust_bulk(a.p_operation, a.p_asset_ids) as r;
        when 'upsert_assets' then
            select to_jsonb(r) into new.result
            from headgate._upsert_assets(new.arguments ->> 'p_universe', new.arguments -> 'p_assets') as r;
    end case;
    return new;
end;
$func$;

-- What a plan may change: the objects whose rows, which only the owner writes, name the plan's functions.
create or replace function headgate._guard_plan(
    p_plan text,
    p_function text,
    p_arguments jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation_ids constant bigint[] := array(select o.operation_id from headgate._operations_of_plan(p_plan) as o);
    v_what text;
begin
    case
        when p_function in ('ask_again', 'take_pages', 'trust_bulk') then
            select 'operation ' || o.name into v_what
            from headgate.operations as o
            where o.name = p_arguments ->> 'p_operation'
                and o.operation_id <> all (v_operation_ids);
        when p_function in ('rename_asset', 'reset_asset', 'set_asset_active') then
            select format('asset %s of universe %s', a.code, a.universe) into v_what
            from headgate.assets as a
            where a.asset_id = (p_arguments ->> 'p_asset_id')::bigint
                and not exists (
                    select
                    from headgate.operations as o
                    where o.universe = a.universe
                        and o.operation_id = any (v_operation_ids)
                );
        when p_function = 'upsert_assets' then
            if not exists (
                select
                from headgate.operations as o
                where o.universe = p_arguments ->> 'p_universe'
                    -- Or the function is open to all.
                    and (o.operation_id = any (v_operation_ids) or o.ingest_function like 'headgate.%')
            ) then
                v_what := 'universe ' || (p_arguments ->> 'p_universe');
            end if;
        when p_function = 'reconcile_quota' then
            select 'provider ' || p.name into v_what
            from headgate.providers as p
            where p.name = p_arguments ->> 'p_provider'
                and not exists (
                    select
                    from headgate.operations as o
                    where o.provider_id = p.provider_id
                        and o.operation_id = any (v_operation_ids)
                );
        when p_function = 'cover_groups' then
            select 'pipeline ' || p.name into v_what
            from headgate.pipelines as p
            where p.name = p_arguments ->> 'p_pipeline'
                and not exists (
                    select
                    from headgate.pipeline_steps as s
                    join headgate.operations as o on o.name = any (s.operations)
                    where s.pipeline_id = p.pipeline_id
                        and o.operation_id = any (v_operation_ids)
                );
        when p_function = 'run_checks' then
            perform headgate._raise(
                'HG008', format('plan %s names no pipeline whose checks it makes', p_plan),
                'name one of its own: p_pipeline; the others are made by the maintenance'
            )
            where p_arguments ->> 'p_pipeline' is null;
            select 'results of checks of pipeline ' || d.name into v_what
            from headgate.declarations as d
            where d.kind = 'pipeline'
                and d.name = p_arguments ->> 'p_pipeline'
                and d.plan <> p_plan;
        when p_function in ('raise_alert', 'resolve_alert') then
            if p_arguments ->> 'p_subject'
                ~ '^(provider|operation|secret of|address of|step|DAG|calendar|check) |^sessions beyond their limits$'
            then
                v_what := format('alert %s, which the core raises', quote_literal(p_arguments ->> 'p_subject'));
            end if;
        when p_function = 'notify' then
            null;  -- Channels are open to all plans.
    end case;
    if v_what is not null then
        perform headgate._raise(
            '42501', format('plan %s has no right to change %s', p_plan, v_what),
            'a plan may change only the universes and providers of its own operations'
        );
    end if;
end;
$func$;

-- Operations that use one of the plan's functions, and those of pipelines with such a step.
create or replace function headgate._operations_of_plan(p_plan text)
returns table (operation_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select o.operation_id
    from headgate.operations as o
    where p_plan in (
        split_part(o.ingest_function, '.', 1), split_part(o.input_function, '.', 1),
        split_part(o.body_function, '.', 1), split_part(o.due_function, '.', 1)
    )
    union
    select o.operation_id
    from headgate.pipeline_steps as f
    join headgate.pipeline_steps as s using (pipeline_id)
    join headgate.operations as o on o.name = any (s.operations)
    where split_part(f.function, '.', 1) = p_plan;
$func$;
