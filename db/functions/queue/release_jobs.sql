create or replace function headgate.release_jobs(
    p_runner text,
    p_chunk_ids bigint[],
    p_lease_nos integer[]
)
returns table (chunk_id bigint, released integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_released headgate.chunks[];
    v_chunk headgate.chunks;
begin
    v_released := array(
        select c
        from unnest(p_chunk_ids, p_lease_nos) as u (chunk_id, lease_no)
        join headgate.chunks as c using (chunk_id)
        where c.lease_no = u.lease_no
            and c.state = 'leased'
            and c.runner = p_runner
        order by c.chunk_id
        for update of c
    );
    foreach v_chunk in array v_released loop
        chunk_id := v_chunk.chunk_id;
        released := cardinality(v_chunk.asset_ids);
        perform headgate._give_back(v_chunk);
        return next;
    end loop;
    if v_released <> '{}' then
        perform pg_notify('headgate_jobs', '');
    end if;
end;
$func$;

comment on function headgate.release_jobs(text, bigint[], integer[]) is
    'Give leased chunks back whose remaining jobs were not started; their units are reserved again.';

-- Back to the queue, or, when its pipeline is paused, to its place in the plan; or ended, when its execution has.
create or replace function headgate._give_back(p_chunk headgate.chunks)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_standing constant text := headgate._standing(p_chunk);
    v_is_current constant boolean := p_chunk.leased_until >= clock_timestamp();
begin
    if v_standing = 'running' then
        perform headgate._put_back(p_chunk.queue, p_chunk.msg_id);
    else
        perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
    end if;

    update headgate.chunks as c
    set state = case when v_standing = 'running' then 'queued' else 'planned' end,
        msg_id = case when v_standing = 'running' then c.msg_id end,
        booked = c.booked + case when v_is_current then 0 else c.units / greatest(1, c.calls) end,
        window_opened_at = case when v_is_current then c.window_opened_at end
    where c.chunk_id = p_chunk.chunk_id;
    if v_is_current then
        perform headgate._move_units(p_chunk.provider_id, p_chunk.window_opened_at, p_chunk.units, -p_chunk.units);
    end if;
    if v_standing = 'over' then
        perform headgate._end_chunks(
            array[p_chunk.chunk_id], 'cancelled', 'its step had ended', headgate.clock()
        );
    end if;
end;
$func$;
