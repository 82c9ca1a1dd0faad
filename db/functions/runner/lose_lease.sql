create or replace function headgate.lose_lease(
    p_runner text,
    p_chunk_id bigint,
    p_lease_no integer,
    p_reason text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk constant headgate.chunks := headgate._held_chunk(p_runner, p_chunk_id, p_lease_no);
begin
    update headgate.chunks as c
    set leased_until = clock_timestamp(),
        lost_reason = left(p_reason, 400)
    where c.chunk_id = p_chunk_id;
    perform headgate._put_back(v_chunk.queue, v_chunk.msg_id);
    perform pg_notify('headgate_jobs', v_chunk.queue);
    if v_chunk.pool is not null then
        perform headgate._wake_pool(v_chunk.pool, headgate.clock());
    end if;
end;
$func$;

comment on function headgate.lose_lease(text, bigint, integer, text) is
    'Give up a lease because its work crashed the runner''s process: it counts as expired, '
    'at once.';
