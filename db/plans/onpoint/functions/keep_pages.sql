-- Stores the latest state of each page, and each text once: a page with the same text as another address is skipped.

create or replace function onpoint.keep_pages(
    p_context jsonb,
    p_asset_ids bigint[],
    p_answers headgate.answer[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with taken as materialized (
        select t.*, a.code, coalesce((a.attributes ->> 'depth')::integer, 0) as depth, md5(t.page ->> 'text') as hash
        from headgate.take_pages(
            p_context ->> 'operation', p_answers, (p_context #>> '{params, max_depth}')::integer,
            (p_context #>> '{params, max_pages}')::integer
        ) as t
        join headgate.v_assets as a using (asset_id)
    ),
    judged as materialized (
        select t.*, (
            select s.code
            from (
                select p.asset_id, p.path as code from onpoint.pages as p where p.content_hash = t.hash
                union all
                select o.asset_id, o.code from taken as o where o.status = 'success' and o.hash = t.hash
            ) as s
            where t.status = 'success'
                and s.asset_id < t.asset_id
            order by s.asset_id
            limit 1
        ) as same_as
        from taken as t
    ),
    kept as (
        insert into onpoint.pages (
            asset_id, path, depth, title, description, language, encoding, content, links, run_id, crawled_at
        )
        select
            j.asset_id, j.code, j.depth, j.page ->> 'title', j.page ->> 'description', j.page ->> 'language',
            j.page ->> 'encoding', j.page ->> 'text', jsonb_array_length(j.page -> 'links'), p_context ->> 'run_id',
            (p_context ->> 'now')::timestamptz
        from judged as j
        where j.status = 'success'
            and j.same_as is null
        on conflict (asset_id) do update set
            depth = excluded.depth,
            title = excluded.title,
            description = excluded.description,
            language = excluded.language,
            encoding = excluded.encoding,
            content = excluded.content,
            links = excluded.links,
            run_id = excluded.run_id,
            crawled_at = excluded.crawled_at
        returning asset_id
    )
    select
        j.asset_id,
        case when j.same_as is null then j.status else 'skipped' end,
        case when k.asset_id is not null then 1 else 0 end,
        null::timestamptz,
        case
            when j.reason is not null then j.reason
            when j.same_as is not null then 'it has the same text as ' || j.same_as
            when j.left_out > 0 then format('max_pages: links to %s pages were left out', j.left_out)
        end
    from judged as j
    left join kept as k using (asset_id);
$func$;

comment on function onpoint.keep_pages(jsonb, bigint[], headgate.answer[]) is
    'Ingest function of onpoint_page: stores pages, and turns their links into assets.';
