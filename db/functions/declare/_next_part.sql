-- Number of the next rule, step or parameter of an object in file order, counting invalid ones.
create or replace function headgate._next_part(
    p_kind text,
    p_whole text
)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select 1 + count(*)::integer
    from (
        select d.name
        from headgate.declarations as d
        where d.kind = p_kind
            and d.is_declared
            and d.plan = current_setting('headgate.plan', true)
        union
        select m.name
        from headgate.declaration_mistakes as m
        where m.kind = p_kind
            and m.plan = current_setting('headgate.plan', true)
    ) as p
    where split_part(p.name, '/', 1) = p_whole;
$func$;
