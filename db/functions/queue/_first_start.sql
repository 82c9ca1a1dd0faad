-- When the next request may start, of those that have not been granted: a provider that has rested takes a burst at
-- once. Inlined (no pinned path).

create or replace function headgate._first_start(
    p_provider headgate.providers,
    p_next_start_at timestamptz,
    p_now timestamptz
)
returns timestamptz
language sql
stable
as $func$
    select case
        -- If the clock jumped back, earlier grants are discarded.
        when p_next_start_at > p_now + interval '1 hour' then p_now
        else greatest(p_next_start_at, p_now - (p_provider.starts_at_once - 1) * p_provider.start_every)
    end;
$func$;
