-- After every migration: rows that name what does not exist are refused here, with their name, not found out at night.
-- Also makes what the rows imply: a gate and queues per provider, a state row per need.

create or replace function headgate.check_plans()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into headgate.provider_gates (provider_id)
    select p.provider_id from headgate.providers as p
    on conflict (provider_id) do nothing;

    perform pgmq.create(q.queue)
    from headgate.providers as p
    cross join lateral (values (p.name || '_high'), (p.name || '_normal'), (p.name || '_low')) as q (queue)
    where not exists (select from pgmq.meta as m where m.queue_name = q.queue);
    perform headgate._tune_queues();

    perform headgate._add_step_groups();
    perform headgate._check_steps();
    perform headgate._check_operation(o)
    from (select * from headgate.operations order by operation_id) as o;
    perform headgate._drop_needs();
    perform headgate._open_needs();
    perform headgate._open_months(3);
end;
$func$;

comment on function headgate.check_plans() is 'Refuse rows that name missing things, and make what they imply; migrate calls it last.';

create or replace function headgate._check_steps()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_fault text;
begin
    select f.fault into v_fault
    from (
        select format('pipeline %s, step %s: unknown operation %s', p.name, s.step, quote_literal(n.name)) as fault
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        cross join unnest(s.operations) as n (name)
        where not exists (select from headgate.operations as o where o.name = n.name)
        union all
        select format('pipeline %s, step %s: depends on unknown step %s', p.name, s.step, quote_literal(d.step))
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
        select format('pipeline %s, step %s: no function %s(p_pipeline text, p_run_id text, ...)', p.name, s.step, s.function)
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        where s.kind = 'function'
            and not exists (
                select
                from pg_proc as c
                where c.oid::regproc::text = s.function
                    and c.proargnames @> array['p_pipeline', 'p_run_id']
            )
        union all
        select format('pipeline %s, step %s: %s is not fit: %s', p.name, s.step, s.function, headgate._misfit(s.function))
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        where s.kind = 'function'
            and headgate._misfit(s.function) is not null
        union all
        select format('pipeline %s, parameter %s: unknown operation %s', p.name, m.name, quote_literal(n.name))
        from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id)
        cross join unnest(m.operations) as n (name)
        where not exists (select from headgate.operations as o where o.name = n.name)
    ) as f
    limit 1;
    if v_fault is not null then
        perform headgate._raise('HG020', v_fault, 'correct the row in db/plans/<plan>/rows.sql; a step comes after those it depends on');
    end if;
end;
$func$;

create or replace function headgate._check_operation(p_operation headgate.operations)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_field text;
begin
    if p_operation.ingest_function is not null then
        perform headgate._check_function(
            p_operation.name, p_operation.ingest_function,
            format('jsonb, bigint[], %s[]', case
                when p_operation.handler is null then 'text'
                else coalesce(headgate._row_type(p_operation.ingest_function), 'record')
            end),
            'headgate.ingest_result', true
        );
    end if;
    if p_operation.input_function is not null then
        perform headgate._check_function(p_operation.name, p_operation.input_function, 'jsonb, bigint[]', null, true);
    end if;
    if p_operation.due_function is not null then
        perform headgate._check_function(
            p_operation.name, p_operation.due_function, 'bigint, timestamp with time zone, timestamp with time zone',
            'timestamp with time zone', false
        );
    end if;
    if p_operation.path is not null and not exists (
        select from headgate.providers as p where p.provider_id = p_operation.provider_id and p.base_url is not null
    ) then
        perform headgate._raise(
            'HG020', format('operation %s has a path, its provider no base URL', p_operation.name), 'give the provider a base_url'
        );
    end if;

    if p_operation.path is null and p_operation.units > 0 then
        perform headgate._raise(
            'HG020', format('operation %s costs units, but calls nobody', p_operation.name), 'give it a path, or 0 units'
        );
    end if;

    if p_operation.page_size is not null and not exists (
        select from headgate._template_fields(p_operation) as f (field) where f.field = 'chunk.codes'
    ) then
        perform headgate._raise(
            'HG020', format('operation %s is a page, but does not name its assets', p_operation.name),
            'put {chunk.codes} into its path or query, or leave page_size empty'
        );
    end if;

    select f.field into v_field
    from headgate._template_fields(p_operation) as f (field)
    where f.field !~ '^(asset|param)[.][A-Za-z0-9_]+$'
        and (f.field <> 'chunk.session' or p_operation.alternative_of_operation_id is null or p_operation.page_size is not null)
        and (f.field <> 'chunk.codes' or p_operation.page_size is null)
        and f.field not in (
            'state.watermark', 'state.since', 'state.succeeded_at',
            'run.id', 'run.pipeline', 'run.logical_date', 'run.date', 'run.started_at', 'job.key'
        )
        or f.field ~ '^param[.]' and not exists (
            select from headgate.pipeline_parameters as m where m.name = split_part(f.field, '.', 2)
        )
        or f.field ~ '^asset[.]'
        and f.field not in ('asset.code', 'asset.group_key', 'asset.asset_id', 'asset.calendar')
        and exists (select from headgate.assets as a where a.universe = p_operation.universe)
        and not exists (
            select from headgate.assets as a
            where a.universe = p_operation.universe and a.attributes ? split_part(f.field, '.', 2)
        )
    limit 1;
    if v_field is not null then
        perform headgate._raise(
            'HG017',
            format('operation %s: its template names the missing field {%s}', p_operation.name, v_field),
            'fields: {asset.code}, {asset.group_key}, {asset.<attribute>}, {state.watermark}, {state.since}, '
            '{state.succeeded_at}, {param.<name>}, {run.id}, {run.pipeline}, {run.logical_date}, {run.date}, '
            '{run.started_at}, {job.key}; of a call for a group also {chunk.session}, of a page {chunk.codes}'
        );
    end if;
end;
$func$;

-- The row type that a handler's ingest function takes an array of; null when there is none.
create or replace function headgate._row_type(p_function text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select (headgate._row_shape(p_function) ->> 'oid')::oid::regtype::text;
$func$;

create or replace function headgate._check_function(
    p_operation text,
    p_function text,
    p_arguments text,
    p_result text,
    p_is_set boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_oid constant oid := to_regprocedure(format('%s(%s)', headgate._checked_name(p_function), p_arguments));
begin
    if v_oid is null or headgate._misfit(p_function) is not null or exists (
        select
        from pg_proc as c
        where c.oid = v_oid
            and (
                format_type(c.prorettype, null) <> p_result
                or p_result is null and c.provolatile = 'v'
                or p_is_set and not c.proretset
            )
    ) then
        perform headgate._raise(
            'HG018',
            format('operation %s: there is no fit function %s(%s)', p_operation, p_function, p_arguments),
            format(
                '%sit must return %s%s, be security definer and pin its search_path', headgate._misfit(p_function) || '; ',
                coalesce(p_result, 'rows that begin with asset_id, be stable'), case when p_is_set then ' (a set)' else '' end
            )
        );
    end if;
end;
$func$;
