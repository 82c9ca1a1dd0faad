-- A KPI as people read it.

create or replace function viral.kpi_text(p_value double precision, p_unit text)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_value is null then 'not measured'
        when p_unit = 'share' then round((100 * p_value)::numeric, 1) || ' %'
        when p_unit = 'dollars' and abs(p_value) < 10 then '$' || round(p_value::numeric, 4)
        when p_unit = 'dollars' then to_char(p_value, 'FM"$"999,999,999,990')
        else to_char(p_value, 'FM999,999,999,990')
    end;
$func$;

comment on function viral.kpi_text(double precision, text) is 'A KPI with its unit, as people read it.';
