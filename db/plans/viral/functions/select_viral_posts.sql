-- Of the posts of the last days, those above the percentile of engagement are viral. Each different text of these days
-- becomes an asset, which the pattern engine is asked for once in a run.

create or replace function viral.select_viral_posts(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_params constant jsonb := (
        select d.document -> 'params'
        from headgate.v_run_documents as d
        where d.pipeline = p_pipeline
            and d.run_id = p_run_id
    );
    v_since constant timestamptz := headgate.clock() - make_interval(days => (v_params ->> 'days_back')::integer);
    v_threshold double precision;
    v_texts jsonb;
begin
    select percentile_cont((v_params ->> 'min_performance_percentile')::double precision / 100)
        within group (order by p.engagement_rate)
    into v_threshold
    from viral.posts as p
    where p.posted_at >= v_since;
    update viral.posts as p
    set is_viral = p.engagement_rate > v_threshold
    where p.posted_at >= v_since
        and p.is_viral <> (p.engagement_rate > v_threshold);

    select coalesce(jsonb_agg(jsonb_build_object('code', t.code, 'group_key', 'text', 'is_active', true)), '[]')
    into v_texts
    from (select distinct md5(p.content) as code from viral.posts as p where p.posted_at >= v_since) as t;
    perform headgate.upsert_assets('viral_texts', v_texts);
    perform headgate.set_asset_active(a.asset_id, false)
    from headgate.v_assets as a
    left join jsonb_to_recordset(v_texts) as t (code text) using (code)
    where a.universe = 'viral_texts'
        and a.is_active
        and t.code is null;
    return jsonb_build_object(
        'threshold', v_threshold,
        'posts', (select count(*) from viral.posts as p where p.posted_at >= v_since),
        'viral_posts', (select count(*) from viral.posts as p where p.posted_at >= v_since and p.is_viral),
        'texts', jsonb_array_length(v_texts)
    );
end;
$func$;

comment on function viral.select_viral_posts(text, text) is
    'Mark the posts above the run''s percentile of engagement, and list the texts to analyse.';
