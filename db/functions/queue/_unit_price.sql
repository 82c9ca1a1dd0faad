-- What a lease of a chunk costs each of its jobs; of a call for a whole group, its first job. Meant to inline.

create or replace function headgate._unit_price(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select case when p_chunk.sessions is null then p_chunk.units / greatest(1, p_chunk.calls) else p_chunk.units end;
$func$;
