-- Names of invalid objects; as they are in the file, they are valid suggestions.
create or replace function headgate._mistaken_names(
    p_kind text,
    p_whole text default null
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select distinct regexp_replace(m.name, '^.*/', '')
        from headgate.declaration_mistakes as m
        where m.plan = current_setting('headgate.plan', true)
            and m.kind = p_kind
            and (p_whole is null or split_part(m.name, '/', 1) = p_whole)
    );
$func$;
