-- Turns the top stories into assets, so that each is requested by a job of its own; stories no longer listed become
-- inactive.

create or replace function onpoint.list_stories(
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
    v_most constant integer := p_context -> 'params' ->> 'max_stories';
    v_top jsonb;
begin
    select jsonb_agg(jsonb_build_object(
        'code', l.story, 'group_key', 'story', 'attributes', jsonb_build_object('rank', l.rank), 'is_active', true
    ))
    into v_top
    from (
        select e.story, min(e.rank) as rank
        from jsonb_array_elements_text(p_payloads[1]::jsonb) with ordinality as e (story, rank)
        group by e.story
        order by min(e.rank)
        limit v_most
    ) as l;
    perform headgate.upsert_assets('onpoint_stories', coalesce(v_top, '[]'));
    perform headgate.set_asset_active(a.asset_id, false)
    from headgate.v_assets as a
    where a.universe = 'onpoint_stories'
        and a.is_active
        and not coalesce(v_top, '[]') @> jsonb_build_array(jsonb_build_object('code', a.code));
    return query select p_asset_ids[1], 'success', jsonb_array_length(v_top), null::timestamptz, null::text;
end;
$func$;

comment on function onpoint.list_stories(jsonb, bigint[], text[]) is
    'Ingest function of onpoint_top_stories: turns the first max_stories of the list into assets.';
