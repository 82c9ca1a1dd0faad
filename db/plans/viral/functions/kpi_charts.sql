-- The KPIs as headings, each with a chart of its last 30 runs.

create or replace function viral.kpi_charts(p_run_id text)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(concat(
        '<h2>', viral.escape_html(t.title), ': ', viral.kpi_text(c.last, t.unit), '</h2>',
        viral.line_chart(c.course, t.target, t.unit)
    ), e'\n' order by t.position)
    from viral.kpi_targets as t
    cross join lateral (
        select
            array_agg(k.value order by k.measured_at, k.run_id) as course,
            max(k.value) filter (where k.run_id = p_run_id) as last
        from (
            select * from viral.kpis as h where h.name = t.name order by h.measured_at desc, h.run_id limit 30
        ) as k
    ) as c;
$func$;

comment on function viral.kpi_charts(text) is 'The KPIs of a run as HTML, each with a chart of the last 30 runs.';
