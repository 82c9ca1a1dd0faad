-- Steps that name what does not exist, or functions that cannot be used.

create or replace function headgate._step_mistakes()
returns table (kind text, name text, code text, message text, hint text, missing_kind text, missing text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with callable as materialized (  -- one look at the catalogue, not one for each step
        select c.oid::regproc::text as name
        from pg_proc as c
        where c.proargnames @> array['p_pipeline', 'p_run_id']
    )
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format('pipeline %s, step %s: unknown operation %s', p.name, s.step, quote_literal(n.name)),
        headgate._known('known operations', n.name, headgate._operation_names()),
        'operation', n.name
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    cross join unnest(s.operations) as n (name)
    where not exists (select from headgate.operations as o where o.name = n.name and not o.is_retired)
    union all
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format('pipeline %s, step %s: depends on unknown step %s', p.name, s.step, quote_literal(d.step)),
        headgate._known('the steps before it', d.step, array(
            select u.step
            from headgate.pipeline_steps as u
            where u.pipeline_id = s.pipeline_id
                and u.position < s.position
        )),
        'step', format('%s/%s', p.name, d.step)
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    cross join unnest(s.depends_on) as d (step)
    where not exists (
        select
        from headgate.pipeline_steps as u
        where u.pipeline_id = s.pipeline_id
            and u.step = d.step
            and u.position < s.position
    )
    union all
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format('pipeline %s, step %s: no function %s(p_pipeline text, p_run_id text, ...)', p.name, s.step, s.function),
        'write the function in db/plans/<plan>/functions, or correct its name', null, null
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    where s.kind = 'function'
        and not exists (select from callable as c where c.name = s.function)
    union all
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format('pipeline %s, step %s: %s cannot be used: %s', p.name, s.step, s.function, headgate._misfit(s.function)),
        'a plan''s function belongs to the plan''s role, is security definer and pins its search_path', null, null
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    where s.kind = 'function'
        and headgate._misfit(s.function) is not null
        and exists (select from callable as c where c.name = s.function)
    union all
    select
        'step', format('%s/%s', p.name, s.step), 'HG020',
        format(
            'pipeline %s, step %s: its condition reads step %s, which does not come before it', p.name, s.step,
            quote_literal(c.step)
        ),
        headgate._known('the steps before it', c.step, b.steps), 'step', format('%s/%s', p.name, c.step)
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    cross join lateral headgate._steps_before(s) as b (steps)
    cross join lateral (
        select distinct m[1] as step
        from regexp_matches(s.condition::text, '\$\."steps"\."([^"]+)"', 'g') as m
    ) as c
    where c.step <> all (b.steps)
    union all
    select
        'parameter', format('%s/%s', p.name, m.name), 'HG020',
        format('pipeline %s, parameter %s: unknown operation %s', p.name, m.name, quote_literal(n.name)),
        headgate._known('known operations', n.name, headgate._operation_names()),
        'operation', n.name
    from headgate.pipeline_parameters as m
    join headgate.pipelines as p using (pipeline_id)
    cross join unnest(m.operations) as n (name)
    where not exists (select from headgate.operations as o where o.name = n.name and not o.is_retired);
$func$;

-- Operations that steps may name.
create or replace function headgate._operation_names()
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(select o.name from headgate.operations as o where not o.is_retired);
$func$;
