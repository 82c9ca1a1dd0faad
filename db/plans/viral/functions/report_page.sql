-- A flywheel's report as a page: KPIs with their course over the last 30 runs, what was chosen, the services' health.

create or replace function viral.report_page(p_run_id text, p_report jsonb)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select concat(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>', viral.escape_html(p_run_id), '</title>',
        '<style>body{font:15px sans-serif;max-width:720px;margin:2em auto;color:#1f2933}'
        'table{border-collapse:collapse}th,td{padding:3px 12px;text-align:left;border-bottom:1px solid #ddd}</style>',
        '<h1>Viral learning flywheel</h1><p>', viral.escape_html(p_run_id), ', ',
        case when (p_report ->> 'success')::boolean then 'on target' else 'below target' end, '</p>', (
            select string_agg(concat(
                '<h2>', viral.escape_html(t.name), ': ', coalesce(round(c.last::numeric, 4)::text, 'not measured'),
                '</h2>', viral.line_chart(c.course, t.target)
            ), e'\n' order by t.position)
            from viral.kpi_targets as t
            cross join lateral (
                select
                    array_agg(k.value order by k.measured_at, k.run_id) as course,
                    max(k.value) filter (where k.run_id = p_run_id) as last
                from (
                    select * from viral.kpis as h where h.name = t.name order by h.measured_at desc, h.run_id limit 30
                ) as k
            ) as c
        ),
        '<h2>Chosen variants</h2>', viral.html_table((
            select '[["", "variant", "hook", "successes", "failures", "draw", "explored"]]' || coalesce(jsonb_agg(
                jsonb_build_array(
                    c.rank, c.variant_id, c.hook, c.successes, c.failures, round(c.draw::numeric, 4), c.is_explored
                ) order by c.rank
            ), '[]')
            from viral.v_choices as c
            where c.run_id = p_run_id
                and c.rank is not null
        )),
        '<h2>Patterns</h2>', viral.html_table((
            select '[["pattern", "kind", "posts", "engagement", "later posts", "as expected"]]' || coalesce(jsonb_agg(
                jsonb_build_array(
                    s.pattern, s.kind, s.posts, round(s.engagement_rate::numeric, 4), s.later_posts, s.hits
                ) order by s.engagement_rate desc, s.pattern
            ), '[]')
            from viral.pattern_scores as s
            where s.run_id = p_run_id
        )),
        '<h2>Services</h2>', viral.html_table((
            select '[["service", "status", "ms"]]' || coalesce(jsonb_agg(
                jsonb_build_array(h.service, h.status, h.response_time_ms) order by h.service
            ), '[]')
            from viral.v_service_health as h
            where h.run_id = p_run_id
        )),
        '</html>'
    );
$func$;

comment on function viral.report_page(text, jsonb) is 'A flywheel''s report as an HTML page with charts as inline SVG.';
