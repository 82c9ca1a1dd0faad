-- An object's name for messages: operation blog_post; step fetch of pipeline blog.
create or replace function headgate._object(
    p_kind text,
    p_name text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_kind in ('step', 'parameter') then
            format('pipeline %s, %s %s', split_part(p_name, '/', 1), p_kind, split_part(p_name, '/', 2))
        when p_kind = 'rule' then format('provider %s, rule %s', split_part(p_name, '/', 1), split_part(p_name, '/', 2))
        else format('%s %s', p_kind, p_name)
    end;
$func$;
