-- A runner asks for start times for calls that it has room for: a claim brings none for calls that would wait for room.
-- They are the provider's: the runner may use them for any of its chunks. Unused times lapse.

create or replace function headgate.take_starts(
    p_runner text,
    p_chunk_id bigint,
    p_lease_no integer,
    p_calls integer
)
returns table (asked_at double precision, start_in double precision, every double precision, burst integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_chunk constant headgate.chunks := headgate._held_chunk(p_runner, p_chunk_id, p_lease_no);
    v_provider headgate.providers;
    v_calls constant integer := greatest(0, least(p_calls, v_chunk.calls));
    v_starts_at timestamptz;
begin
    select * into v_provider from headgate.providers as p where p.provider_id = v_chunk.provider_id;
    if v_provider.start_every is null then
        return query
        -- The limit was removed.
        select extract(epoch from statement_timestamp())::double precision, 0::double precision, 0::double precision, 1;
        return;
    end if;
    update headgate.rate_limiters as r
    set next_start_at = headgate._first_start(v_provider, r.next_start_at, v_now) + v_provider.start_every * v_calls
    where r.provider_id = v_provider.provider_id
    returning r.next_start_at - v_provider.start_every * v_calls into v_starts_at;

    return query
    select
        extract(epoch from statement_timestamp())::double precision,
        extract(epoch from v_starts_at - v_now)::double precision,
        extract(epoch from v_provider.start_every)::double precision,
        v_provider.starts_at_once;
end;
$func$;

comment on function headgate.take_starts(text, bigint, integer, integer) is
    'Grant start times for the next p_calls calls of a leased chunk: seconds after the request, '
    'and seconds between calls.';
