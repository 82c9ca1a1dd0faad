-- Columns that identify a row or cannot be declared; all others are settings.
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
