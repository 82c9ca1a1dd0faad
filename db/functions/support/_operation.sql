create or replace function headgate._operation(p_operation text)
returns headgate.operations
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation headgate.operations;
begin
    select * into v_operation from headgate.operations as o where o.name = p_operation;
    if not found then
        perform headgate._raise(
            'HG004',
            format('unknown operation: %s', coalesce(quote_literal(p_operation), 'null')),
            headgate._known('known operations', p_operation, array(
                select o.name from headgate.operations as o where not o.is_retired
            ))
        );
    end if;

    return v_operation;
end;
$func$;
