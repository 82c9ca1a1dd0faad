-- These are applied again with other arguments or another result.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'headgate'
            and p.proname in ('_claim', '_take_messages', '_cure', '_end_unstarted')
    loop
        execute format('drop function %s', v_function);
    end loop;
end;
$$;
