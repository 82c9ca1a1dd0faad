-- Whether an operation cannot be called although its provider can: its breaker is open, or its probe is in flight.

create or replace function headgate._is_blocked(
    p_operation_id bigint,
    p_now timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.breakers as k
        where k.operation_id = p_operation_id
            and (k.blocked_until > p_now or k.opened > 0 and headgate._is_leased(k.probe_chunk_id))
    );
$func$;
