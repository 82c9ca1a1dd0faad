-- A decision with all that it was made from, as one row.

create or replace function viral.keep_decision(
    p_context jsonb,
    p_asset_ids bigint[],
    p_rows viral.drawn_row[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into viral.decisions (
        run_id, seed, numpy_version, variants, successes, failures, draws, chosen, explored, decided_at
    )
    select
        p_context ->> 'run_id', abs(hashtextextended(p_context ->> 'run_id', 0) / 2), min(r.numpy_version),
        array_agg(r.variant_no order by r.variant_no), array_agg(r.successes order by r.variant_no),
        array_agg(r.failures order by r.variant_no), array_agg(r.draw order by r.variant_no),
        array_agg(r.variant_no order by r.rank) filter (where r.rank is not null),
        coalesce(array_agg(r.variant_no order by r.rank) filter (where r.is_explored), '{}'),
        (p_context ->> 'now')::timestamptz
    from unnest(p_rows) as r
    on conflict (run_id) do update set
        numpy_version = excluded.numpy_version,
        variants = excluded.variants,
        successes = excluded.successes,
        failures = excluded.failures,
        draws = excluded.draws,
        chosen = excluded.chosen,
        explored = excluded.explored,
        decided_at = excluded.decided_at;
    return query
    select p_asset_ids[1], 'success', cardinality(p_rows), (p_context ->> 'now')::timestamptz, null::text;
end;
$func$;

comment on function viral.keep_decision(jsonb, bigint[], viral.drawn_row[]) is
    'Ingest function of viral_decision: the variants, what was known and drawn of each, and which were chosen.';
