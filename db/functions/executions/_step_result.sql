-- The result of a function step from its rows.

-- One row is the output itself, several become an array; a scalar function returns its value. The value may be a
-- report: an object with status failed fails the step, and what the function wrote is kept.
create or replace function headgate._step_result(
    p_function text,
    p_rows jsonb,
    out status text,
    out output jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_value record;
begin
    select c.proname as name, c.prorettype = 'void'::regtype as is_void into v_value
    from pg_proc as c
    join pg_type as t on t.oid = c.prorettype
    where c.oid = to_regproc(p_function)
        and c.prorettype <> 'record'::regtype
        and t.typtype <> 'c'
        and (c.prorettype = 'jsonb'::regtype or coalesce(not c.proargmodes && array['o', 'b', 't']::"char"[], true));
    output := case
        when v_value.is_void then null
        when jsonb_typeof(p_rows) = 'array' and v_value.name is not null then jsonb_path_query_array(
            p_rows, '$[*].*'
        )
        else p_rows
    end;
    if jsonb_typeof(output) = 'array' and jsonb_array_length(output) <= 1 then
        output := output -> 0;
    end if;
    if octet_length(output::text) > 1048576 then
        perform headgate._raise(
            'HG023',
            format('%s returned an output of %s bytes', p_function, octet_length(output::text)),
            'an output may have 1048576 bytes: write rows to a table of the plan, and return what names them'
        );
    end if;
    status := case
        when v_value.name is not null and output ->> 'status' = 'failed' then 'failed'
        else 'succeeded'
    end;
end;
$func$;
