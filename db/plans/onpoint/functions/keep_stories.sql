-- Stores one answer for each story. A deleted story is answered by null, or marked as deleted; some items are jobs or
-- polls.

create or replace function onpoint.keep_stories(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with answer as (
        select
            a.asset_id,
            a.code::bigint as story_id,
            (a.attributes ->> 'rank')::integer as rank,
            u.payload::jsonb as item
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as a using (asset_id)
    ),
    kept as (
        insert into onpoint.raw_stories (run_id, story_id, rank, item, crawled_at)
        select p_context ->> 'run_id', a.story_id, a.rank, a.item, (p_context ->> 'now')::timestamptz
        from answer as a
        where a.item ->> 'type' = 'story'
            and not a.item @> '{"deleted": true}'
            and not a.item @> '{"dead": true}'
        on conflict (run_id, story_id) do update set
            item = excluded.item,
            crawled_at = excluded.crawled_at
        returning story_id
    )
    select
        a.asset_id,
        case when k.story_id is null then 'skipped' else 'success' end,
        case when k.story_id is not null then 1 end,
        null::timestamptz,
        case
            when k.story_id is not null then null
            when a.item @> '{"type": "story"}' then 'the story was deleted'
            when a.item = 'null' then 'there is no such item'
            else format('the item is no story but %s', a.item ->> 'type')
        end
    from answer as a
    left join kept as k using (story_id);
$func$;

comment on function onpoint.keep_stories(jsonb, bigint[], text[]) is
    'Ingest function of onpoint_story: stores each story as a raw document of the run; other items are skipped.';
