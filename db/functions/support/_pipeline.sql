-- Look-ups by name. Each reports an unknown name and the existing ones.

create or replace function headgate._pipeline(p_pipeline text)
returns headgate.pipelines
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
begin
    select * into v_pipeline from headgate.pipelines as p where p.name = p_pipeline;
    if not found then
        perform headgate._raise(
            'HG001',
            format('unknown pipeline: %s', coalesce(quote_literal(p_pipeline), 'null')),
            headgate._known('known pipelines', p_pipeline, array(
                select p.name from headgate.pipelines as p where not p.is_retired
            ))
        );
    end if;

    return v_pipeline;
end;
$func$;
