-- What the orchestrator is told: equal shares of views for the chosen variants. Shares by their draws would go to the
-- new ones, of which little is known.

create or replace function viral.allocation_body(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, body jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p_asset_ids[1], jsonb_build_object(
        'variant_weights', jsonb_object_agg(v.variant_id, 1.0 / cardinality(d.chosen)),
        'allocation_strategy', case cardinality(d.explored)
            when 0 then 'exploit_best'
            when cardinality(d.chosen) then 'explore_equally'
            else 'balanced_exploration'
        end
    )
    from viral.decisions as d
    cross join unnest(d.chosen) as u (variant_no)
    join viral.variants as v using (variant_no)
    where d.run_id = p_context ->> 'run_id'
    group by d.run_id;
$func$;

comment on function viral.allocation_body(jsonb, bigint[]) is
    'Body of viral_allocation: the run''s chosen variants and their shares of views.';
