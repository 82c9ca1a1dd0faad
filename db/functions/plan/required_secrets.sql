create or replace function headgate.required_secrets(p_pipeline text default null)
returns table (needed_by text, secret_name text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline_id constant bigint := case
        when p_pipeline is not null then (headgate._pipeline(p_pipeline)).pipeline_id
    end;
begin
    return query
    select 'provider ' || r.name as needed_by, r.secret_name
    from headgate.pipelines as p
    join headgate.pipeline_steps as s using (pipeline_id)
    join headgate.operations as o on o.name = any (s.operations)
    join headgate.providers as r using (provider_id)
    where p.pipeline_id = coalesce(v_pipeline_id, p.pipeline_id)
        and not p.is_retired
        and r.secret_name is not null
    union
    select 'store ' || t.name, v.name
    from headgate.pipeline_steps as s
    join headgate.operations as o on o.name = any (s.operations)
    join headgate.stores as t on t.name = o.store
    cross join unnest(array[t.key_id_name, t.secret_name]) as v (name)
    where s.pipeline_id = coalesce(v_pipeline_id, s.pipeline_id)
        and v.name is not null
    union
    select 'channel ' || c.name, c.secret_name
    from headgate.channels as c
    where v_pipeline_id is null
        and c.secret_name is not null
    order by 1, 2;
end;
$func$;

comment on function headgate.required_secrets(text) is
    'Names of the environment variables with secrets that runners of a pipeline need, and what needs them; null: of '
    'any pipeline, and of channels. The secrets themselves are never in the database.';
