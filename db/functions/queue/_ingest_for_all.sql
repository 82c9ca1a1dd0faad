-- Answers of bulk calls: the ingest function runs once per session, with that answer and all assets of the chunk. An
-- asset is complete when every session's answer contains it. An unreadable answer is no asset's fault: no asset counts
-- as contained in it.

create or replace function headgate._ingest_for_all(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_answers text[],
    p_now timestamptz
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_function constant text := p_operation.ingest_function;
    v_context constant jsonb := headgate._context(p_chunk, p_operation, p_now);
    v_results headgate.ingest_result[] := '{}';
    v_more headgate.ingest_result[];
begin
    for v_nth in 1 .. cardinality(p_answers) loop
        begin
            v_more := headgate._call_ingest(
                v_function, v_context || jsonb_build_object('session', p_chunk.sessions[v_nth]), p_chunk.asset_ids,
                array[p_answers[v_nth]]
            );
        exception
            when others then
                if headgate._fault_of_error(sqlstate) = 'server' then
                    raise;
                elsif headgate._fault_of_error(sqlstate) = 'internal' then
                    return array(
                        select row(
                            u.asset_id, 'deferred', 0, null, format('%s: %s', v_function, left(sqlerrm, 400))
                        )::headgate.ingest_result
                        from unnest(p_chunk.asset_ids) as u (asset_id)
                    );
                end if;
                raise warning '%: %', v_function, left(sqlerrm, 200);
                v_more := '{}';
        end;
        v_results := v_results || v_more;
    end loop;

    return array(
        select row(
            r.asset_id,
            case
                when bool_or(r.status = 'failed') then 'failed'
                when bool_or(r.status = 'success') then 'success'
                else min(r.status)
            end,
            sum(r.records), max(r.watermark), min(r.reason)
        )::headgate.ingest_result
        from unnest(v_results) as r
        group by r.asset_id
        having count(*) >= cardinality(p_answers)
    );
end;
$func$;
