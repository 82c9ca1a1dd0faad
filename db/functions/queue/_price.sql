-- What a lease of a chunk costs each of its jobs; of a call for a whole group, its first job. Meant to inline.

create or replace function headgate._price(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select case when p_chunk.is_bulk then p_chunk.units else p_chunk.units / greatest(1, p_chunk.calls) end;
$func$;
