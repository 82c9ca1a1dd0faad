-- Each kind of object as settings, by the words that a plan's file uses, and as a row of its table.

create or replace function headgate._table_of(p_kind text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'provider' then 'providers'
        when 'rule' then 'response_rules'
        when 'operation' then 'operations'
        when 'pipeline' then 'pipelines'
        when 'step' then 'pipeline_steps'
        when 'parameter' then 'pipeline_parameters'
    end;
$func$;

-- The columns that name a row; all others are settings, or nobody's to declare.
create or replace function headgate._key_of(p_kind text)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'rule' then '{provider_id,position}'
        when 'step' then '{pipeline_id,step}'
        when 'parameter' then '{pipeline_id,name}'
        else '{name}'
    end::text[];
$func$;

-- How people call it: operation blog_post; step fetch of pipeline blog.
create or replace function headgate._object(
    p_kind text,
    p_name text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_kind in ('step', 'parameter') then
            format('pipeline %s, %s %s', split_part(p_name, '/', 1), p_kind, split_part(p_name, '/', 2))
        when p_kind = 'rule' then format('provider %s, rule %s', split_part(p_name, '/', 1), split_part(p_name, '/', 2))
        else format('%s %s', p_kind, p_name)
    end;
$func$;

-- Columns under the names that arguments have, without keys and what is not declared.
create or replace function headgate._as_settings(
    p_kind text,
    p_columns jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_object_agg(headgate._setting_of(c.key), c.value)
    from jsonb_each(p_columns) as c (key, value)
    where c.key <> all (headgate._key_of(p_kind) || array[
        'provider_id', 'operation_id', 'pipeline_id', 'follows_operation_id', 'alternative_of_operation_id',
        'starts_at_once', 'start_every', 'is_paused', 'is_paused_with_dag'
    ]);
$func$;

create or replace function headgate._setting_of(p_column text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_column
        when 'patience' then 'max_wait'
        when 'blame' then 'fault'
        when 'close' then 'blocks'
        when 'provider_id' then 'provider'
        when 'follows_operation_id' then 'follows'
        when 'alternative_of_operation_id' then 'bulk_call_of'
        else p_column
    end;
$func$;

-- What settings have that are not given.
create or replace function headgate._defaults(p_kind text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table constant regclass := to_regclass('headgate.' || headgate._table_of(p_kind));
    v_expressions text;
    v_defaults jsonb;
begin
    select string_agg(format(
        '%s as %I',
        coalesce(pg_get_expr(d.adbin, d.adrelid), 'null::' || format_type(a.atttypid, a.atttypmod)), a.attname
    ), ', ') into v_expressions
    from pg_attribute as a
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = v_table
        and a.attnum > 0
        and not a.attisdropped
        and a.attgenerated = ''
        and a.attidentity = '';
    execute format('select to_jsonb(r) from (select %s) as r', v_expressions) into v_defaults;
    return headgate._as_settings(p_kind, v_defaults) || case p_kind
        when 'provider' then '{"publication_lags": {}}'
        when 'operation' then '{"provider": "local", "follows": null, "bulk_call_of": null, "inputs": []}'
        else '{}'
    end::jsonb;
end;
$func$;

-- The settings of the row that there is; null: there is none.
create or replace function headgate._row_of(
    p_kind text,
    p_name text
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._as_settings(p_kind, f.columns)
    from (
        select to_jsonb(p) || jsonb_build_object('publication_lags', coalesce(
            (
                select jsonb_object_agg(l.calendar, l.lag)
                from headgate.publication_lags as l
                where l.provider_id = p.provider_id
            ),
            '{}'
        )) as columns
        from headgate.providers as p
        where p_kind = 'provider'
            and p.name = p_name
        union all
        select to_jsonb(r)
        from headgate.response_rules as r
        join headgate.providers as p using (provider_id)
        where p_kind = 'rule'
            and p.name = split_part(p_name, '/', 1)
            and r.position::text = split_part(p_name, '/', 2)
        union all
        select to_jsonb(o) || jsonb_build_object(
            'provider', p.name, 'follows', f.name, 'bulk_call_of', c.name, 'inputs', to_jsonb(array(
                select i.name
                from headgate.operation_inputs as n
                join headgate.operations as i on i.operation_id = n.input_operation_id
                where n.operation_id = o.operation_id
                order by i.name
            ))
        )
        from headgate.operations as o
        join headgate.providers as p using (provider_id)
        left join headgate.operations as f on f.operation_id = o.follows_operation_id
        left join headgate.operations as c on c.operation_id = o.alternative_of_operation_id
        where p_kind = 'operation'
            and o.name = p_name
        union all
        select to_jsonb(p)
        from headgate.pipelines as p
        where p_kind = 'pipeline'
            and p.name = p_name
        union all
        select to_jsonb(s)
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'step'
            and p.name = split_part(p_name, '/', 1)
            and s.step = split_part(p_name, '/', 2)
        union all
        select to_jsonb(m)
        from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'parameter'
            and p.name = split_part(p_name, '/', 1)
            and m.name = split_part(p_name, '/', 2)
    ) as f;
$func$;

-- Settings as columns of the table, names of other objects resolved.
create or replace function headgate._as_columns(
    p_kind text,
    p_name text,
    p_settings jsonb
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select (
        select jsonb_object_agg(
            case s.key
                when 'max_wait' then 'patience'
                when 'fault' then 'blame'
                when 'blocks' then 'close'
                else s.key
            end,
            s.value
        )
        from jsonb_each(p_settings) as s (key, value)
        where s.key not in ('publication_lags', 'inputs', 'provider', 'follows', 'bulk_call_of')
    ) || case p_kind
        when 'rule' then jsonb_build_object(
            'provider_id', headgate._id_of('provider', split_part(p_name, '/', 1)),
            'position', split_part(p_name, '/', 2)::integer
        )
        when 'step' then jsonb_build_object(
            'pipeline_id', headgate._id_of('pipeline', split_part(p_name, '/', 1)), 'step', split_part(p_name, '/', 2)
        )
        when 'parameter' then jsonb_build_object(
            'pipeline_id', headgate._id_of('pipeline', split_part(p_name, '/', 1)), 'name', split_part(p_name, '/', 2)
        )
        when 'operation' then jsonb_build_object(
            'name', p_name,
            'provider_id', headgate._id_of('provider', p_settings ->> 'provider'),
            'follows_operation_id', headgate._id_of('operation', p_settings ->> 'follows'),
            'alternative_of_operation_id', headgate._id_of('operation', p_settings ->> 'bulk_call_of')
        )
        else jsonb_build_object('name', p_name)
    end;
$func$;

create or replace function headgate._id_of(
    p_kind text,
    p_name text
)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'provider' then (select p.provider_id from headgate.providers as p where p.name = p_name)
        when 'operation' then (select o.operation_id from headgate.operations as o where o.name = p_name)
        when 'pipeline' then (select p.pipeline_id from headgate.pipelines as p where p.name = p_name)
    end;
$func$;
