-- The variants' totals as the orchestrator tells them. By how much they grew is an outcome of the run, in the same
-- commit, so that however often totals are read nothing is counted twice. Totals below those that are known are of an
-- answer that was overtaken by another, and are passed over.

create or replace function viral.keep_outcomes(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := p_context ->> 'now';
    v_answer record;
    v_grown integer;
begin
    select * into v_answer
    from viral.judged_answers(p_asset_ids, p_payloads, '
        $.variants.type() == "array" && !exists($.variants[*] ? (
            @.id.type() != "string" || !(@.successes >= 0) || !(@.failures >= 0)))', 'variants');
    if v_answer.fault is not null then
        return query select v_answer.asset_id, 'failed', 0, null::timestamptz, v_answer.fault;
        return;
    end if;
    lock table viral.variants in share row exclusive mode;  -- one answer after the other
    with told as (
        select distinct on (t.id) t.*
        from jsonb_to_recordset(v_answer.said -> 'variants')
            as t (id text, successes bigint, failures bigint, persona_id text, sample_content text, dimensions jsonb)
        order by t.id
    ),
    grown as (
        insert into viral.outcomes as o (run_id, variant_no, successes, failures, found_at)
        select p_context ->> 'run_id', v.variant_no, t.successes - v.successes, t.failures - v.failures, v_now
        from told as t
        join viral.variants as v on v.variant_id = t.id
        where (t.successes, t.failures) <> (v.successes, v.failures)
            and t.successes >= v.successes
            and t.failures >= v.failures
        on conflict (run_id, variant_no) do update set
            successes = o.successes + excluded.successes,
            failures = o.failures + excluded.failures,
            found_at = excluded.found_at
        returning 1
    ),
    kept as (
        insert into viral.variants as v (
            variant_id, persona, content, dimensions, successes, failures, created_at
        )
        select
            t.id, coalesce(t.persona_id, ''), t.sample_content, coalesce(t.dimensions, '{}'), t.successes, t.failures,
            v_now
        from told as t
        on conflict (variant_id) do update set
            successes = excluded.successes,
            failures = excluded.failures
        where (v.successes, v.failures) <> (excluded.successes, excluded.failures)
            and excluded.successes >= v.successes
            and excluded.failures >= v.failures
        returning 1
    )
    select count(*) into v_grown from kept;
    return query select p_asset_ids[1], 'success', v_grown, v_now, null::text;
end;
$func$;

comment on function viral.keep_outcomes(jsonb, bigint[], text[]) is
    'Ingest function of viral_variants and viral_outcomes: the variants'' totals, and by how much they grew.';
