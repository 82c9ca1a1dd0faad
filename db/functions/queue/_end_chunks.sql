-- End whole chunks that will not be (or no longer are) worked on: by finalize, cancel, skip, pause's end, or the sweep.
-- The caller has locked them. Reserved units return; units of a lease stay spent.

create or replace function headgate._end_chunks(
    p_chunk_ids bigint[],
    p_status text,
    p_reason text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_ended integer := 0;
    v_release record;
    v_released headgate.chunks[] := '{}';
begin
    for v_chunk in
        select * from headgate.chunks as c where c.chunk_id = any (p_chunk_ids) order by c.chunk_id for update
    loop
        if v_chunk.msg_id is not null then
            perform pgmq.delete(v_chunk.queue, v_chunk.msg_id);
        end if;
        perform headgate._end_jobs(
            v_chunk,
            array(
                select row(
                    u.asset_id, p_status, p_reason, null,
                    v_chunk.booked + case when v_chunk.state = 'leased' then v_chunk.units / greatest(1, v_chunk.calls) else 0 end,
                    v_chunk.requests, 0, null, 0
                )::headgate.job_end
                from unnest(v_chunk.asset_ids) as u (asset_id)
            ),
            p_now
        );
        delete from headgate.chunks as c where c.chunk_id = v_chunk.chunk_id;
        v_ended := v_ended + cardinality(v_chunk.asset_ids);
        if v_chunk.state <> 'leased' and v_chunk.window_opened_at is not null then
            v_released := v_released || v_chunk;
        end if;
    end loop;

    for v_release in
        select r.provider_id, r.window_opened_at, sum(r.units)::integer as units
        from unnest(v_released) as r
        group by r.provider_id, r.window_opened_at
        order by r.provider_id, r.window_opened_at
    loop
        perform headgate._move_units(v_release.provider_id, v_release.window_opened_at, -v_release.units, 0);
    end loop;

    return v_ended;
end;
$func$;
