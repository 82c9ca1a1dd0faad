-- Codes (for a bare symbol, symbols) that may have been meant: of the same first letter, of nearly the same length, and
-- with at most one other letter, which is far cheaper to tell than their likeness.

create or replace function headgate._similar_codes(
    p_universe text,
    p_code text
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $func$
    select array(
        select distinct n.name
        from headgate.assets as a
        cross join lateral (
            select case when position('.' in p_code) > 0 then a.code else split_part(a.code, '.', 1) end as name
        ) as n
        where (p_universe is null or a.universe = p_universe)
            and lower(a.code) collate "C" ^@ lower(left(p_code, 1))
            and abs(length(n.name) - length(p_code)) <= 2
            and length(translate(lower(n.name), lower(p_code), '')) <= 1
        limit 5000
    );
$func$;
