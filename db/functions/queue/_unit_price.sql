-- What a lease of a chunk costs per job; for a bulk call, its first job. Inlined.

create or replace function headgate._unit_price(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select case when p_chunk.is_bulk then p_chunk.units else p_chunk.units / greatest(1, p_chunk.calls) end;
$func$;
