-- One insert, or one update of the columns that differ, so that an operator's concurrent change to another column is
-- not lost.

create or replace function headgate._write_object(
    p_kind text,
    p_name text,
    p_settings jsonb,
    p_differ text[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table constant text := headgate._table_of(p_kind);
    v_columns constant jsonb := headgate._as_columns(p_kind, p_name, p_settings);
begin
    if p_differ is null then
        execute (
            select format(
                'insert into headgate.%I (%s) select %s from jsonb_populate_record(null::headgate.%1$I, $1) as r',
                v_table, string_agg(format('%I', c.key), ', '), string_agg(headgate._value_of(c.key), ', ')
            )
            from jsonb_object_keys(v_columns) as c (key)
        ) using v_columns;
    else
        execute (
            select format(
                'update headgate.%1$I as t set %2$s '
                'from jsonb_populate_record(null::headgate.%1$I, $1) as r where %3$s',
                v_table, string_agg(format('%I = %s', c.key, headgate._value_of(c.key)), ', '),
                (
                    select string_agg(format('t.%I = r.%1$I', k.key), ' and ')
                    from unnest(headgate._key_of(p_kind)) as k (key)
                )
            )
            from jsonb_object_keys(headgate._differing_columns(p_kind, p_name, v_columns, p_differ)) as c (key)
        ) using v_columns;
    end if;
    if p_kind = 'provider' and ('publication_lags' = any (p_differ) or p_differ is null) then
        perform headgate._write_lags(p_name, p_settings -> 'publication_lags');
    elsif p_kind = 'operation' and ('inputs' = any (p_differ) or p_differ is null) then
        perform headgate._write_inputs(p_name, array(select jsonb_array_elements_text(p_settings -> 'inputs')));
    end if;
end;
$func$;

-- A JSON null becomes an SQL null, except in a parameter's default.
create or replace function headgate._value_of(p_column text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_column
        when 'default_value' then 'coalesce(r.default_value, ''null'')'
        else format('r.%I', p_column)
    end;
$func$;

-- Columns of the changed settings. If only rows of other tables changed, the key, which is written unchanged.
create or replace function headgate._differing_columns(
    p_kind text,
    p_name text,
    p_columns jsonb,
    p_differ text[]
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(nullif(d.columns, '{}'), jsonb_build_object('name', p_name))
    from (
        select jsonb_object_agg(c.key, c.value) filter (
            where headgate._setting_of(c.key) = any (p_differ)
        ) as columns
        from jsonb_each(p_columns) as c (key, value)
    ) as d;
$func$;

create or replace function headgate._write_lags(
    p_provider text,
    p_lags jsonb
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.publication_lags as l
    using headgate.providers as p
    where p.provider_id = l.provider_id
        and p.name = p_provider
        and not p_lags ? l.calendar;

    insert into headgate.publication_lags as l (provider_id, calendar, lag)
    select p.provider_id, g.key, g.value::interval
    from headgate.providers as p
    cross join jsonb_each_text(p_lags) as g (key, value)
    where p.name = p_provider
    on conflict (provider_id, calendar) do update
    set lag = excluded.lag
    where l.lag <> excluded.lag;
$func$;

create or replace function headgate._write_inputs(
    p_operation text,
    p_inputs text[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.operation_inputs as n
    using headgate.operations as o, headgate.operations as i
    where o.operation_id = n.operation_id
        and i.operation_id = n.input_operation_id
        and o.name = p_operation
        and i.name <> all (p_inputs);

    insert into headgate.operation_inputs (operation_id, input_operation_id)
    select o.operation_id, i.operation_id
    from headgate.operations as o
    join headgate.operations as i on i.name = any (p_inputs)
    where o.name = p_operation
    order by i.operation_id
    on conflict do nothing;
$func$;
