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
