-- A flywheel's report as a page: what to do, KPIs with their course, what was chosen, patterns, the services' health.

create or replace function viral.report_page(p_run_id text, p_report jsonb)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select concat(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>', viral.escape_html(p_run_id), '</title>',
        '<style>body{font:15px sans-serif;max-width:760px;margin:2em auto;color:#1f2933}'
        'table{border-collapse:collapse}th,td{padding:3px 12px;text-align:left;border-bottom:1px solid #ddd;'
        'white-space:nowrap}svg{max-width:100%}</style>',
        '<h1>Viral learning flywheel</h1><p>', viral.escape_html(p_run_id), ', ', p_report ->> 'duration_minutes',
        ' minutes, ', case when (p_report ->> 'success')::boolean then 'on target' else 'below target' end, '</p>', (
            select '<ul>' || string_agg('<li>' || viral.escape_html(r.said) || '</li>', '') || '</ul>'
            from jsonb_array_elements_text(p_report -> 'recommendations') as r (said)
        ),
        viral.kpi_charts(p_run_id), '<h2>', coalesce(
            (p_report #>> '{optimization_parameters,chosen}') || ' of '
            || (p_report #>> '{optimization_parameters,variants}') || ' variants chosen, '
            || (p_report #>> '{optimization_parameters,explored}') || ' of them new', 'No variants chosen'
        ), '</h2>',
        viral.html_table((
            select '[["", "variant", "hook", "reactions", "views", "rate", "draw", ""]]' || coalesce(jsonb_agg(
                jsonb_build_array(
                    c.rank, c.variant_id, c.hook, c.successes, c.successes + c.failures,
                    viral.kpi_text(c.successes / nullif(c.successes + c.failures, 0)::double precision, 'share'),
                    viral.kpi_text(c.draw, 'share'), case when c.is_explored then 'new' end
                ) order by c.rank
            ), '[]')
            from viral.v_choices as c
            where c.run_id = p_run_id
                and c.rank is not null
        )),
        '<h2>Patterns</h2>', viral.html_table((
            select '[["pattern", "kind", "posts", "engagement", "later posts", "as expected"]]' || coalesce(jsonb_agg(
                jsonb_build_array(
                    s.pattern, s.kind, s.posts, viral.kpi_text(s.engagement_rate, 'share'), s.later_posts, s.hits
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
