-- Rows, an array of arrays, as a table; the first row is its head.

create or replace function viral.html_table(p_rows jsonb)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select '<table>' || string_agg('<tr>' || c.cells || '</tr>', e'\n' order by r.nth) || '</table>'
    from jsonb_array_elements(p_rows) with ordinality as r (cells, nth)
    cross join lateral (
        select string_agg(
            format('<%s>%s</%1$s>', case r.nth when 1 then 'th' else 'td' end, coalesce(viral.escape_html(t.cell), '')),
            '' order by t.nth
        ) as cells
        from jsonb_array_elements_text(r.cells) with ordinality as t (cell, nth)
    ) as c;
$func$;

comment on function viral.html_table(jsonb) is 'An array of rows as an HTML table; the first is its head.';
