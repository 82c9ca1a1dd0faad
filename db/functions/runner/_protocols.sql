-- The protocols of runners that these functions serve: docs/operations.md says how to raise them. Inlined (no pinned
-- path), because each claim asks.
create or replace function headgate._protocols()
returns int4range
language sql
immutable
as $func$
    select int4range(1, 3, '[]');
$func$;
