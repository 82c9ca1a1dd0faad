-- Whose fault an error of a plan's function is. server: it passes, and the whole transaction is repeated; item: the
-- answer's own; internal: the function's, as is any other. Inlined (no pinned path).

create or replace function headgate._fault_of_error(p_sqlstate text)
returns text
language sql
immutable
as $func$
    select case
        when pg_catalog."left"(p_sqlstate, 2) in ('08', '40', '53', '55', '57', '58') then 'server'
        when pg_catalog."left"(p_sqlstate, 2) in ('21', '22', '23', '44', '54', 'P0', 'HG') then 'item'
        else 'internal'
    end;
$func$;
