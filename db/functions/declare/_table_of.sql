create or replace function headgate._table_of(p_kind text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'check' then 'checks'
        when 'metric' then 'metrics'
        when 'pool' then 'pools'
        when 'store' then 'stores'
        when 'provider' then 'providers'
        when 'rule' then 'response_rules'
        when 'operation' then 'operations'
        when 'pipeline' then 'pipelines'
        when 'step' then 'pipeline_steps'
        when 'parameter' then 'pipeline_parameters'
        when 'channel' then 'channels'
        when 'route' then 'routes'
    end;
$func$;
