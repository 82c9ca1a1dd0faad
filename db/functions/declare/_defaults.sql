-- Defaults of the settings that are not given.
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
