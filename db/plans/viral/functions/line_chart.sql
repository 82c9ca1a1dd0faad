-- A line chart as SVG: values from left to right, and a dashed line at the target. Nulls leave no gap.

create or replace function viral.line_chart(p_values double precision[], p_target double precision)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with scale as (
        select
            greatest(count(u.value) - 1, 1) as last, greatest(max(u.value), p_target, 1e-9) * 1.1 as top,
            count(u.value) as points
        from unnest(p_values) as u (value)
    ),
    point as (
        select
            u.value, u.nth, round(10 + 580.0 * (row_number() over (order by u.nth) - 1) / s.last, 1) as x,
            round((150 - 140 * u.value / s.top)::numeric, 1) as y
        from unnest(p_values) with ordinality as u (value, nth)
        cross join scale as s
        where u.value is not null
    )
    select case
        when s.points = 0 then '<p>no values yet</p>'
        else concat(
            '<svg viewBox="0 0 600 160" width="600" height="160" role="img">',
            '<polyline fill="none" stroke="#2f6fde" stroke-width="2" points="', (
                select string_agg(format('%s,%s', p.x, p.y), ' ' order by p.nth) from point as p
            ), '"/>', (
                select string_agg(format(
                    '<circle cx="%s" cy="%s" r="3" fill="#2f6fde"><title>%s</title></circle>', p.x, p.y,
                    round(p.value::numeric, 4)
                ), '' order by p.nth)
                from point as p
            ), case when p_target is not null then format(
                '<line x1="10" x2="590" y1="%s" y2="%1$s" stroke="#0f9d76" stroke-dasharray="6 4"/>',
                round((150 - 140 * p_target / s.top)::numeric, 1)
            ) end, '</svg>'
        )
    end
    from scale as s;
$func$;

comment on function viral.line_chart(double precision[], double precision) is 'A line chart as SVG, with a target.';
