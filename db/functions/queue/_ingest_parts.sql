-- Each of several chunks without calls by itself: an ingest function never gets more jobs at once than a chunk has.

create or replace function headgate._ingest_parts(
    p_parts headgate.chunks[],
    p_operation headgate.operations,
    p_outcomes text[],
    p_answers headgate.answer[],
    p_now timestamptz
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_part headgate.chunks;
    v_first integer := 1;
    v_last integer;
    v_context jsonb;
    v_results headgate.ingest_result[] := '{}';
begin
    if p_operation.ingest_function is null then
        return '{}';
    end if;
    foreach v_part in array p_parts loop
        if v_context is null or v_context ->> 'group_key' is distinct from v_part.group_key then
            v_context := headgate._context(v_part, p_operation, p_now);
        end if;
        v_last := v_first + cardinality(v_part.asset_ids) - 1;
        v_results := v_results || headgate._ingest(
            v_part, p_operation, true, v_part.asset_ids, p_outcomes[v_first : v_last], null,
            p_answers[v_first : v_last], null, null::text[], p_now, v_context
        );
        v_first := v_last + 1;
    end loop;
    return v_results;
end;
$func$;
