create or replace function headgate._no_chunk(
    p_wake_at timestamptz,
    p_now timestamptz
)
returns headgate.claimed_chunk
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select row(
        null, null,
        case when p_wake_at is not null then greatest(0, ceil(extract(epoch from p_wake_at - p_now)))::integer end,
        null, null, null, null, null, null, null, null, null, null, null, null, p_wake_at, null
    )::headgate.claimed_chunk;
$func$;
