-- A bulk call for several sessions commits answer by answer, in session order: an answer is kept whatever happens to
-- the next one, and a later plan requests no session twice. The jobs end with the last answer. An asset missing from an
-- answer keeps its watermark and has a null among the records. Returns the units to give back.

create or replace function headgate._go_on(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_call headgate.operations,
    p_answers text[],
    p_request_counts integer[],
    p_charged integer[],
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
as $func$
declare
    v_count constant integer := cardinality(p_answers);
    v_unit constant integer := p_chunk.units / p_chunk.calls;
    v_request_count constant bigint := coalesce(
        (select sum(u.calls) from unnest(p_request_counts) as u (calls)), v_count
    );
    v_charged constant integer := case
        when p_chunk.leased_until >= clock_timestamp()
            then least(coalesce((select sum(u.calls) from unnest(p_charged) as u (calls)), v_request_count), v_count)
        else v_count  -- an expired lease has been charged
    end;
    v_results constant headgate.ingest_result[] := headgate._ingest_for_all(p_chunk, p_call, p_answers, p_now);
    v_done headgate.job_result[];
    v_records integer[];
begin
    perform headgate._raise(
        'HG018', r.reason, 'correct the ingest function or its rights; nothing was changed'
    )
    from unnest(v_results) as r
    where r.status = 'deferred'
    limit 1;

    select
        array_agg(
            case when r.asset_id is not null and (p_chunk.records is null or b.records is not null)
                then coalesce(b.records, 0) + r.records
            end
            order by b.nth
        ),
        coalesce(array_agg(
            row(
                r.asset_id, 'success', null, null, 0, 0, r.records, r.watermark, 0, 1, null, null, 0, 0, null, false
            )::headgate.job_result
            order by r.asset_id
        ) filter (where r.asset_id is not null and (p_chunk.records is null or b.records is not null)), '{}')
    into v_records, v_done
    from unnest(p_chunk.asset_ids, p_chunk.records) with ordinality as b (asset_id, records, nth)
    left join unnest(v_results) as r on r.asset_id = b.asset_id and r.status in ('success', 'skipped');

    update headgate.chunks as c
    set sessions = c.sessions[v_count + 1 :],
        calls = c.calls - v_count,
        units = c.units - v_unit * v_count,
        charged_units = c.charged_units + v_unit * v_charged,
        request_count = c.request_count + v_request_count,
        records = v_records,
        attempt = 1,
        retry_count = 0,
        park_until = null
    where c.chunk_id = p_chunk.chunk_id;
    perform headgate._reach_watermarks(p_chunk, v_done);
    perform headgate._wake_dependents(p_operation, v_done, p_now);
    return v_unit * (v_count - v_charged);
end;
$func$;

-- The watermarks that these jobs, which have not ended, have reached.
create or replace function headgate._reach_watermarks(
    p_chunk headgate.chunks,
    p_done headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_nestloop = off
as $func$
    update headgate.asset_processing_state as s
    set watermark = greatest(s.watermark, d.watermark)
    from unnest(p_done) as d
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = any (p_chunk.asset_ids)
        and s.asset_id = d.asset_id
        and s.chunk_id = p_chunk.chunk_id
        and d.watermark is not null;
$func$;
