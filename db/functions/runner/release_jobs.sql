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
    v_at constant timestamptz := clock_timestamp();
    v_released headgate.chunks[];
    v_over bigint[] := '{}';
    v_chunk headgate.chunks;
    v_window record;
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
    -- A session that cancels or skips holds the execution: this runs before its second pass, or after its end.
    perform
    from headgate.process_executions as e
    where e.execution_id = any (array(select c.execution_id from unnest(v_released) as c))
    order by e.execution_id
    for key share;
    foreach v_chunk in array v_released loop
        chunk_id := v_chunk.chunk_id;
        released := cardinality(v_chunk.asset_ids);
        if headgate._put_down(v_chunk, v_chunk.leased_until >= v_at) = 'step_ended' then
            v_over := v_over || v_chunk.chunk_id;
        end if;
        return next;
    end loop;

    perform headgate._end_chunks(v_over, 'cancelled', 'its step had ended', headgate.clock());
    perform headgate._wake_pools(array(select c.pool from unnest(v_released) as c), headgate.clock());
    for v_window in
        select
            c.provider_id,
            c.window_opened_at,
            coalesce(sum(c.units) filter (where c.chunk_id <> all (v_over)), 0)::integer as reserved_again,
            sum(c.units)::integer as not_spent
        from unnest(v_released) as c
        where c.leased_until >= v_at
        group by c.provider_id, c.window_opened_at
        order by c.provider_id, c.window_opened_at
    loop
        perform headgate._move_units(
            v_window.provider_id, v_window.window_opened_at, v_window.reserved_again, -v_window.not_spent
        );
    end loop;
    if v_released <> '{}' then
        perform pg_notify('headgate_jobs', '');
    end if;
end;
$func$;

comment on function headgate.release_jobs(text, bigint[], integer[]) is
    'Give back leased chunks whose remaining jobs were not started; their units are reserved again.';

-- Back to the queue; into the plan while its pipeline is paused; or ended, if its step has ended. An expired lease has
-- been charged.
create or replace function headgate._put_down(
    p_chunk headgate.chunks,
    p_is_current boolean
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_standing constant text := headgate._standing(p_chunk);
begin
    if v_standing = 'running' then
        perform headgate._put_back(p_chunk.queue, p_chunk.msg_id);
    else
        perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
    end if;

    update headgate.chunks as c
    set state = case when v_standing = 'running' then 'queued' else 'planned' end,
        msg_id = case when v_standing = 'running' then c.msg_id end,
        charged_units = c.charged_units + case when p_is_current then 0 else headgate._unit_price(c) end,
        window_opened_at = case when p_is_current and v_standing <> 'step_ended' then c.window_opened_at end
    where c.chunk_id = p_chunk.chunk_id;
    return v_standing;
end;
$func$;
