create or replace function headgate._count_words(
    p_count bigint,
    p_noun text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select to_char(p_count, 'FM999,999,999,990') || ' ' || p_noun || case when p_count = 1 then '' else 's' end;
$func$;
