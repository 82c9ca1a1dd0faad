-- What the posts of the last days say of each pattern. The scores before are measured by the posts that came since: a
-- hit is a post on the side of their threshold on which they expected it.

create or replace function viral.score_patterns(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_days constant integer := (
        select (d.document #>> '{params,days_back}')::integer
        from headgate.v_run_documents as d
        where d.pipeline = p_pipeline
            and d.run_id = p_run_id
    );
begin
    insert into viral.pattern_scores
    with seen as (
        select c.kind, c.pattern, p.engagement_rate, p.posted_at, m.median
        from viral.posts as p
        join viral.content_patterns as c on c.content_hash = md5(p.content)
        cross join (
            select percentile_cont(0.5) within group (order by t.engagement_rate) as median
            from viral.posts as t
            where t.posted_at >= v_now - make_interval(days => v_days)
        ) as m
        where p.posted_at >= v_now - make_interval(days => v_days)
    ),
    before as (
        select s.*
        from viral.pattern_scores as s
        where s.run_id = (
            select t.run_id from viral.pattern_scores as t where t.run_id <> p_run_id order by t.scored_at desc limit 1
        )
    )
    select
        p_run_id, s.kind, s.pattern, count(*), avg(s.engagement_rate),
        avg(s.engagement_rate) >= min(s.median), min(s.median),
        count(*) filter (where s.posted_at > b.scored_at),
        count(*) filter (
            where s.posted_at > b.scored_at and (s.engagement_rate >= b.threshold) = b.is_expected_above
        ),
        v_now
    from seen as s
    left join before as b using (kind, pattern)
    group by s.kind, s.pattern
    on conflict (run_id, kind, pattern) do update set
        posts = excluded.posts,
        engagement_rate = excluded.engagement_rate,
        is_expected_above = excluded.is_expected_above,
        threshold = excluded.threshold,
        later_posts = excluded.later_posts,
        hits = excluded.hits,
        scored_at = excluded.scored_at;
    return (
        select jsonb_build_object(
            'patterns', count(*), 'accuracy', sum(s.hits)::double precision / nullif(sum(s.later_posts), 0),
            'best_hook', (array_agg(s.pattern order by s.engagement_rate desc) filter (where s.kind = 'hook'))[1]
        )
        from viral.pattern_scores as s
        where s.run_id = p_run_id
    );
end;
$func$;

comment on function viral.score_patterns(text, text) is
    'Score each pattern by its posts, and measure the scores before by the posts that came later.';
