-- An operation's references, templates and functions that do not fit.

create or replace function headgate._operation_mistakes(p_operation headgate.operations)
returns table (code text, message text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select f.code, f.message, f.hint
    from (values
        (
            p_operation.ingest_function,
            format('jsonb, bigint[], %s[]', case
                when headgate._takes_answers(p_operation) then 'headgate.answer'
                when p_operation.handler is null or p_operation.stage is not null then 'text'
                else coalesce(headgate._row_type(p_operation.ingest_function), 'record')
            end),
            'headgate.ingest_result', true
        ),
        (p_operation.input_function, 'jsonb, bigint[]', null, true),
        (p_operation.body_function, 'jsonb, bigint[]', 'TABLE(asset_id bigint, body jsonb)', true),
        (
            p_operation.due_function, 'bigint, timestamp with time zone, timestamp with time zone',
            'timestamp with time zone', false
        )
    ) as u (function, arguments, result, is_set)
    cross join headgate._function_mistakes(p_operation.name, u.function, u.arguments, u.result, u.is_set) as f
    where u.function is not null
    union all
    select
        'HG020',
        format(
            'operation %s takes %s slots of pool %s, which has %s', p_operation.name, p_operation.pool_slots, l.name,
            l.slots
        ),
        'give the pool as many slots, or it would wait for ever'
    from headgate.pools as l
    where l.name = p_operation.pool
        and l.slots < p_operation.pool_slots
    union all
    select
        'HG020', format('operation %s has a path, but its provider has no base URL', p_operation.name),
        'give the provider a base_url'
    where p_operation.path is not null
        and not exists (
            select from headgate.providers as p where p.provider_id = p_operation.provider_id and p.base_url is not null
        )
    union all
    select
        'HG020', format('operation %s has a statement, but its provider is not a database', p_operation.name),
        'declare the provider with kind => ''postgres'' and secret_name => the variable that holds its DSN'
    where p_operation.statement is not null
        and not exists (
            select from headgate.providers as p where p.provider_id = p_operation.provider_id and p.kind = 'postgres'
        )
    union all
    select
        'HG020',
        format('operation %s calls for many assets at once, but each has an address of its own', p_operation.name),
        'give it a provider with a base_url'
    where p_operation.bulk_call_of_operation_id is not null
        and exists (
            select
            from headgate.providers as p
            where p.provider_id = p_operation.provider_id and p.base_url = '{asset.base_url}'
        )
    union all
    select
        'HG020',
        format('operation %s has %s, and a bulk call that brings none', p_operation.name, case
            when p_operation.outputs is not null then 'outputs'
            else 'expectations'
        end),
        'leave them to an operation of its own'
    where num_nonnulls(p_operation.outputs, p_operation.expectations) > 0
        and exists (
            select
            from headgate.operations as b
            where b.bulk_call_of_operation_id = p_operation.operation_id
                and not b.is_retired
        )
    union all
    select 'HG020', format('operation %s costs units but makes no call', p_operation.name), 'give it a path, or 0 units'
    where not p_operation.is_call
        and p_operation.units > 0
    union all
    select
        'HG020', format('operation %s is a batch call but does not name its assets', p_operation.name),
        'put {chunk.codes} into its path or query, or leave batch_size empty'
    where p_operation.batch_size is not null
        and not exists (
            select from headgate._template_fields(p_operation) as f (field) where f.field = 'chunk.codes'
        )
    union all
    select
        'HG020', format('operation %s has pages, but its request is the same for each', p_operation.name),
        'name {page.cursor?}, {page.number}, or {state.cursor?}, which is kept across runs'
    where p_operation.next_page is not null
        and not exists (
            select
            from headgate._template_fields(p_operation) as f (field)
            where f.field in ('page.cursor', 'page.number', 'state.cursor')
        )
    union all
    select
        'HG017',
        format('operation %s: its template names the missing field {%s}', p_operation.name, f.field),
        headgate._meant(f.field, headgate._fields_of(p_operation)) ||
        'fields: {asset.code}, {asset.group_key}, {asset.<attribute>}, {state.watermark}, {state.since}, '
        '{state.succeeded_at}, {state.etag}, {state.last_modified}, {param.<name>}, {run.id}, {run.pipeline}, '
        '{run.logical_date}, {run.date}, '
        '{run.stamp}, {run.started_at}, {run.now}, {steps.<step>.<name>}, {job.key}; in a bulk call also '
        '{chunk.session}, in a batch call {chunk.codes}, in a statement {new.<table>} and {new.<table>.<column>}, with '
        'next_page {page.cursor}, {page.number} and {state.cursor}'
    from headgate._template_fields(p_operation) as f (field)
    where f.field !~ '^((asset|param)[.][A-Za-z0-9_]+|steps([.][A-Za-z0-9_-]+)+)$'
        and (
            f.field <> 'chunk.session'
            or p_operation.bulk_call_of_operation_id is null
            or p_operation.batch_size is not null
        )
        and (f.field <> 'chunk.codes' or p_operation.batch_size is null)
        and (f.field !~ '^new([.][a-z_][a-z0-9_]*){1,2}$' or p_operation.statement is null)
        and (f.field not in ('part', 'partition') or p_operation.artifact_name is null)
        and f.field not in (
            'state.watermark', 'state.since', 'state.succeeded_at', 'state.etag', 'state.last_modified',
            'run.id', 'run.pipeline', 'run.logical_date', 'run.date', 'run.stamp', 'run.started_at', 'run.now',
            'job.key'
        )
        and (f.field not in ('page.cursor', 'page.number', 'state.cursor') or p_operation.next_page is null)
        or f.field ~ '^param[.]' and not exists (
            select from headgate.pipeline_parameters as m where m.name = split_part(f.field, '.', 2)
        )
        or f.field ~ '^asset[.]'
        and f.field not in ('asset.code', 'asset.group_key', 'asset.asset_id', 'asset.calendar')
        and exists (select from headgate.assets as a where a.universe = p_operation.universe)
        and not exists (
            select from headgate.assets as a
            where a.universe = p_operation.universe and a.attributes ? split_part(f.field, '.', 2)
        );
$func$;

-- Available fields, for the hint.
create or replace function headgate._fields_of(p_operation headgate.operations)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array[
        'asset.code', 'asset.group_key', 'asset.asset_id', 'asset.calendar', 'state.watermark', 'state.since',
        'state.succeeded_at', 'state.etag', 'state.last_modified', 'run.id', 'run.pipeline', 'run.logical_date',
        'run.date', 'run.stamp', 'run.started_at', 'run.now', 'job.key'
    ]
    || array(select 'param.' || m.name from headgate.pipeline_parameters as m)
    || array(
        select 'asset.' || k.key
        from (select a.attributes from headgate.assets as a where a.universe = p_operation.universe limit 1) as a
        cross join jsonb_object_keys(a.attributes) as k (key)
    );
$func$;

-- The element type of the array that a handler's ingest function takes; null if there is none.
create or replace function headgate._row_type(p_function text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select (headgate._row_shape(p_function) ->> 'oid')::oid::regtype::text;
$func$;

-- The functions of a name with their arguments; null if there is none.
create or replace function headgate._signatures(p_function text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(
        format('%s(%s)', p_function, oidvectortypes(c.proargtypes)), ', ' order by oidvectortypes(c.proargtypes)
    )
    from pg_proc as c
    join pg_namespace as n on n.oid = c.pronamespace
    where n.nspname = split_part(p_function, '.', 1)
        and c.proname = split_part(p_function, '.', 2);
$func$;

create or replace function headgate._function_mistakes(
    p_operation text,
    p_function text,
    p_arguments text,
    p_result text,
    p_is_set boolean
)
returns table (code text, message text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'HG018',
        format('operation %s: no function %s(%s) with the required signature', p_operation, p_function, p_arguments),
        format(
            '%sit must return %s%s%s, be security definer and pin its search_path%s',
            coalesce(headgate._misfit(p_function), 'there is ' || headgate._signatures(p_function)) || '; ',
            coalesce(p_result, 'rows that begin with asset_id'),
            case when p_is_set and p_result not like 'TABLE%' then ' (a set)' else '' end,
            case when v.only_reads then ', be stable' else '' end,
            case
                when p_arguments like '% text[]' then '; an operation''s own may take headgate.answer[] for text[]'
                else ''
            end
        )
    from (select to_regprocedure(format('%s(%s)', headgate._checked_name(p_function), p_arguments)) as oid) as f
    cross join (select p_result is null or p_result like 'TABLE%' as only_reads) as v
    where f.oid is null
        or headgate._misfit(p_function) is not null
        or exists (
            select
            from pg_proc as c
            where c.oid = f.oid
                and (
                    p_result not in (format_type(c.prorettype, null), pg_get_function_result(c.oid))
                    or v.only_reads and c.provolatile = 'v'
                    or p_is_set and not c.proretset
                )
        );
$func$;
