-- A text as HTML shows it.

create or replace function viral.escape_html(p_text text)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
$func$;

comment on function viral.escape_html(text) is 'A text as HTML shows it.';
