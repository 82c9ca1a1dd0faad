-- A page's code is its path and query. A page that redirects, or that names another address of the site as its own, is
-- read at that address instead, for at most five steps in a row. Links are followed nearest to the start first: nearer
-- pages have a greater weight.

create or replace function headgate._take_pages(
    p_operation text,
    p_answers headgate.answer[],
    p_max_depth integer,
    p_max_pages integer,
    p_refuse text[]
)
returns table (asset_id bigint, status text, reason text, page jsonb, left_out integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation constant headgate.operations := headgate._operation(p_operation);
    v_links record;
begin
    with link as (
        select distinct on (l.code) l.*
        from unnest(p_answers) as n
        cross join lateral headgate._links_of(n) as l
        where l.depth <= p_max_depth
            and not l.code like any (p_refuse)
        order by l.code, l.depth, l.hops
    ),
    new as (
        select l.*, row_number() over (order by l.depth, length(l.code), l.code) as nth
        from link as l
        join headgate.providers as p on p.provider_id = v_operation.provider_id
        where not exists (
                select from headgate.assets as a where a.universe = v_operation.universe and a.code = l.code
            )
            and headgate.is_allowed(p.name, l.code)
    )
    select
        jsonb_agg(jsonb_build_object(
            'code', n.code, 'group_key', n.group_key, 'weight', 10.0 ^ -n.depth,
            'attributes', jsonb_build_object('depth', n.depth, 'hops', n.hops, 'found_on', n.found_on)
        )) filter (where n.nth <= r.room) as pages,
        count(*) filter (where n.nth > r.room)::integer as left_out
    into v_links
    from new as n
    cross join (
        select p_max_pages - count(*) as room from headgate.assets as a where a.universe = v_operation.universe
    ) as r;
    if v_links.pages is not null then
        perform headgate._upsert_assets(v_operation.universe, v_links.pages);
    end if;
    return query
    select
        j.asset_id,
        case when j.fault is not null then 'failed' when j.reason is not null then 'skipped' else 'success' end,
        coalesce(j.fault, j.reason), j.page, v_links.left_out
    from unnest(p_answers) as n
    cross join lateral headgate._judged_page(n) as j;
end;
$func$;

-- Pages of the same site to which a page leads: the target of its redirect or else its links, unless it says nofollow.
create or replace function headgate._links_of(p_answer headgate.answer)
returns table (code text, depth integer, hops integer, group_key text, found_on text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select l.code, l.depth, l.hops, j.group_key, j.code
    from headgate._judged_page(p_answer) as j
    cross join lateral (
        select j.elsewhere as code, j.depth, j.hops + 1 as hops
        where j.elsewhere is not null
        union all
        select substr(u.url, length(j.site) + 1), j.depth + 1, 0
        from jsonb_array_elements_text(j.page -> 'links') as u (url)
        where j.elsewhere is null
            and j.fault is null
            and p_answer.status < 300
            and j.page ->> 'robots' !~ '\m(nofollow|none)\M'
            and starts_with(u.url, j.site || '/')
    ) as l;
$func$;

-- An answer as a page: its asset, the site it belongs to, and the address that it names instead of its own.
create or replace function headgate._judged_page(
    p_answer headgate.answer,
    out asset_id bigint,
    out code text,
    out group_key text,
    out depth integer,
    out hops integer,
    out page jsonb,
    out site text,
    out elsewhere text,
    out reason text,
    out fault text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_has_moved constant boolean := p_answer.status >= 300;
    v_target text;
begin
    page := p_answer.body;
    select
        a.asset_id, a.code, a.group_key, coalesce((a.attributes ->> 'depth')::integer, 0),
        coalesce((a.attributes ->> 'hops')::integer, 0)
    into asset_id, code, group_key, depth, hops
    from headgate.assets as a
    where a.asset_id = p_answer.asset_id;
    site := left(page ->> 'url', -length(code));
    v_target := case when v_has_moved then page ->> 'redirect' else nullif(page ->> 'canonical', page ->> 'url') end;
    if site || code is distinct from page ->> 'url' then
        fault := format('its code is not its address as the parser html writes it: %s', page ->> 'url');
    elsif v_has_moved and v_target is null then
        fault := 'it has moved, and does not say where to';
    elsif v_has_moved and not starts_with(v_target, site || '/') then
        reason := 'it has moved out of the site, to ' || v_target;
    elsif v_has_moved and v_target = page ->> 'url' then
        fault := 'it has moved to itself';
    elsif v_has_moved and hops >= 5 then
        fault := 'it is the sixth redirect in a row';
    elsif starts_with(v_target, site || '/') and hops < 5 then
        elsewhere := substr(v_target, length(site) + 1);
        reason := case when v_has_moved then 'it has moved to ' else 'its canonical address is ' end || elsewhere;
    elsif page ->> 'robots' ~ '\m(noindex|none)\M' then
        reason := 'it asks not to be kept';
    end if;
end;
$func$;
