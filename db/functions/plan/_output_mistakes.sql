-- Outputs of steps that are used before they exist, or that cannot be kept.

create or replace function headgate._output_mistakes()
returns table (kind text, name text, code text, message text, hint text, missing_kind text, missing text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'step', format('%s/%s', f.pipeline, f.step), 'HG017',
        format('pipeline %s, step %s: %s names {%s}, ', f.pipeline, f.step, f.operation, f.field)
        || case
            when f.named is null then format('but there is no step %s', quote_literal(f.named_step))
            when f.named_step <> all (f.before) then format('but step %s does not come before it', f.named_step)
            when k.known = '{}' then format('but step %s has no output', f.named_step)
            else format('but step %s has no output %s', f.named_step, quote_literal(f.key))
        end,
        case
            when f.named_step <> all (f.before) then headgate._known('the steps before it', f.named_step, f.before)
            when k.known = '{}' then 'declare outputs of its operation, or name a step that has some'
            else headgate._known('its outputs', f.key, k.known)
        end,
        'step', format('%s/%s', f.pipeline, f.named_step)
    from headgate._named_outputs() as f
    cross join lateral (
        select case when f.named_step = any (f.before) then headgate._known_outputs(f.named) end as known
    ) as k
    where f.named_step <> all (f.before)
        or k.known = '{}'
        or f.key <> '' and f.key <> all (k.known)
    union all
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format('pipeline %s, step %s: %s', p.name, s.step, case
            when c.operations > 1 then format('%s operations declare outputs of the same assets', c.operations)
            else format('it has outputs of %s assets; at most 1000 are kept', c.assets)
        end),
        case
            when c.operations > 1 then 'a step has one output of an asset: give each operation a step of its own'
            else 'leave outputs out, and let an ingest function write rows'
        end,
        null, null
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    cross join lateral (
        select count(distinct o.name) as operations, count(a.asset_id) as assets
        from headgate.operations as o
        left join headgate.assets as a
            on a.universe = o.universe
            and a.is_active
            and (s.group_keys is null or a.group_key = any (s.group_keys))
        where o.name = any (s.operations)
            and o.outputs is not null
            and not o.is_retired
        group by o.universe
        having count(distinct o.name) > 1 or count(a.asset_id) > 1000
        limit 1
    ) as c;
$func$;

-- Each output that a step's requests name: the step that has it, its key, and the steps that have ended by then.
create or replace function headgate._named_outputs()
returns table (
    pipeline text, step text, operation text, field text, named_step text, named headgate.pipeline_steps, key text,
    before text[]
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        p.name, s.step, o.name, f.field, split_part(f.field, '.', 2), n, split_part(f.field, '.', 3),
        headgate._steps_before(s)
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    join headgate.operations as o on not o.is_retired and exists (
        select
        from headgate.operations as c
        where c.name = any (s.operations)
            and c.operation_id in (o.operation_id, o.bulk_call_of_operation_id)
    )
    cross join headgate._template_fields(o) as f (field)
    left join headgate.pipeline_steps as n
        on n.pipeline_id = s.pipeline_id and n.step = split_part(f.field, '.', 2)
    where f.field like 'steps.%';
$func$;

-- The keys of a step's output: its operations' names for it or, with several assets, their codes; null: not known yet.
create or replace function headgate._known_outputs(p_step headgate.pipeline_steps)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with own as (
        select o.* from headgate.operations as o where o.name = any (p_step.operations) and not o.is_retired
    ),
    covered as (
        select distinct a.code
        from own as o
        join headgate.assets as a on a.universe = o.universe
        where o.outputs is not null
            and a.is_active
            and (p_step.group_keys is null or a.group_key = any (p_step.group_keys))
        limit 1001
    )
    select case
        when p_step.kind = 'function' or exists (select from own as o where o.handler is not null) then null
        when not exists (select from own as o where o.outputs is not null) then '{}'::text[]
        when (select count(*) from covered) = 1
            then array(select k.key from own as o cross join jsonb_object_keys(o.outputs) as k (key))
        when (select count(*) from covered) > 1 then array(select c.code from covered as c)
    end;
$func$;
