-- A quota exhausted in an earlier window says nothing about the current one.

create or replace function headgate._live_block(
    p_provider headgate.providers,
    p_chunk headgate.chunks,
    p_block jsonb,
    p_now timestamptz
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p_block
    where p_block ->> 'until' <> 'reset'
        or p_chunk.window_opened_at is null
        or p_chunk.window_opened_at >= (select w.opened_at from headgate._window_at(p_provider, p_now) as w);
$func$;
