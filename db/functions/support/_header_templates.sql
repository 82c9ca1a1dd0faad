-- Headers with a field in their template, which differ by job.

create or replace function headgate._header_templates(p_headers jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(h.key, h.value), '{}')
    from jsonb_each_text(p_headers) as h
    where h.value ~ '[{][a-z_]+([.][A-Za-z0-9_-]+)+[?]?[}]';
$func$;
