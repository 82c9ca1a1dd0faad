create or replace function headgate._provider(p_provider text)
returns headgate.providers
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_provider headgate.providers;
begin
    select * into v_provider from headgate.providers as p where p.name = p_provider;
    if not found then
        perform headgate._raise(
            'HG005',
            format('unknown provider: %s', coalesce(quote_literal(p_provider), 'null')),
            headgate._known('known providers', p_provider, array(
                select p.name from headgate.providers as p where not p.is_retired
            ))
        );
    end if;

    return v_provider;
end;
$func$;
