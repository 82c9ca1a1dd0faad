-- A line chart as SVG: values from left to right above zero, labelled with the highest and the last one, and a dashed
-- line at the target. Nulls leave no gap.

create or replace function viral.line_chart(p_values double precision[], p_target double precision, p_unit text)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with scale as (
        select
            greatest(count(u.value) - 1, 1) as last, greatest(max(u.value), p_target, 1e-9) * 1.1 as top,
            max(u.value) as highest
        from unnest(p_values) as u (value)
    ),
    point as (
        select
            u.value, u.nth, round(70 + 530.0 * (row_number() over (order by u.nth) - 1) / s.last, 1) as x,
            round((150 - 140 * u.value / s.top)::numeric, 1) as y
        from unnest(p_values) with ordinality as u (value, nth)
        cross join scale as s
        where u.value is not null
    ),
    label as (
        select 64 as x, 150.0 as y, 'end' as anchor, '0' as said
        union all
        select 64, round((150 - 140 * s.highest / s.top)::numeric, 1), 'end', viral.kpi_text(s.highest, p_unit)
        from scale as s
        union all
        select
            606, round((150 - 140 * p_target / s.top)::numeric, 1), 'start',
            'target ' || viral.kpi_text(p_target, p_unit)
        from scale as s
        where p_target is not null
    )
    select case
        when s.highest is null then '<p>no values yet</p>'
        else concat(
            '<svg viewBox="0 0 720 160" width="720" height="160" role="img" font-size="11" fill="#52606d">',
            '<path d="M70 10V150H600" fill="none" stroke="#cbd2d9"/>',
            '<polyline fill="none" stroke="#2f6fde" stroke-width="2" points="', (
                select string_agg(format('%s,%s', p.x, p.y), ' ' order by p.nth) from point as p
            ), '"/>', (
                select string_agg(format(
                    '<circle cx="%s" cy="%s" r="3" fill="#2f6fde"><title>%s</title></circle>', p.x, p.y,
                    viral.kpi_text(p.value, p_unit)
                ), '' order by p.nth)
                from point as p
            ), case when p_target is not null then format(
                '<line x1="70" x2="600" y1="%s" y2="%1$s" stroke="#0f9d76" stroke-dasharray="6 4"/>',
                round((150 - 140 * p_target / s.top)::numeric, 1)
            ) end, (
                select string_agg(
                    format('<text x="%s" y="%s" text-anchor="%s">%s</text>', l.x, l.y + 4, l.anchor, l.said), ''
                )
                from label as l
            ), '</svg>'
        )
    end
    from scale as s;
$func$;

comment on function viral.line_chart(double precision[], double precision, text) is
    'A line chart as SVG, with labels and a target.';
