-- A parsed template: runs of text and fields, where {x?} is optional. An empty template is one empty run.

create or replace function headgate._pieces(p_template text)
returns table (nth bigint, literal text, field text, is_optional boolean)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select m.nth, coalesce(m.found[1], m.found[4]), m.found[2], m.found[3] = '?'
    from regexp_matches(p_template, '([^{]+)|[{]([a-z_]+(?:[.][A-Za-z0-9_-]+)+)([?]?)[}]|([{])', 'g')
        with ordinality as m (found, nth)
    union all
    select 1, '', null, false
    where p_template = '';
$func$;
