-- The variants that are not retired with their totals, and a seed that is the same whenever the run's decision is made
-- again.

create or replace function viral.read_variants(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, variant_no bigint[], successes bigint[], failures bigint[], seed bigint)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_asset_ids[1], array_agg(v.variant_no order by v.variant_no),
        array_agg(v.successes order by v.variant_no), array_agg(v.failures order by v.variant_no),
        abs(hashtextextended(p_context ->> 'run_id', 0) / 2)
    from viral.v_variants as v
    where v.retired_because is null
    having count(*) > 0;
$func$;

comment on function viral.read_variants(jsonb, bigint[]) is
    'Input function of viral_decision: the variants to choose from, what is known of each, and the seed of the draws.';
