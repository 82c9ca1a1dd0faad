-- Unleased chunks of an ended step or execution.

create or replace function headgate._left_over_chunks()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    where c.state <> 'leased'
        and headgate._standing(c) = 'step_ended';
$func$;
