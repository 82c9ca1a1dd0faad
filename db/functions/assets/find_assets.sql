-- Search by what a person types: codes that begin with it, the code itself first; without any, similar codes.

create or replace function headgate.find_assets(
    p_text text,
    p_limit integer default 20
)
returns table (asset_id bigint, universe text, code text, group_key text, is_active boolean, is_near_miss boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $func$
declare
    v_text constant text := lower(trim(p_text));
    v_near text[];
begin
    if coalesce(v_text, '') = '' then
        return;
    end if;

    return query
    select a.asset_id, a.universe, a.code, a.group_key, a.is_active, false
    from headgate.assets as a
    where lower(a.code) collate "C" ^@ v_text
    order by lower(a.code) <> v_text, split_part(lower(a.code), '.', 1) <> v_text, a.code, a.universe
    limit p_limit;
    if found then
        return;
    end if;

    v_near := headgate._near(v_text, headgate._similar_codes(null, v_text));  -- the planner would call it as well
    return query
    select a.asset_id, a.universe, a.code, a.group_key, a.is_active, true
    from unnest(v_near) with ordinality as n (name, nth)
    join headgate.assets as a
        on lower(a.code) collate "C" >= lower(n.name)  -- from the index: the name, or the name and a dot
        and lower(a.code) collate "C" < lower(n.name) || '/'
        and lower(n.name) in (lower(a.code), split_part(lower(a.code), '.', 1))
    order by n.nth, a.code, a.universe
    limit p_limit;
end;
$func$;

comment on function headgate.find_assets(text, integer) is
    'Assets whose codes begin with a text, in any case, the code itself first; without any, those with similar codes.';
