-- Whether this object already has a mistake; references to it are then not reported again.
create or replace function headgate._is_mistaken(
    p_kind text,
    p_name text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.declaration_mistakes as m
        where m.plan = current_setting('headgate.plan', true)
            and m.kind = p_kind
            and m.name = p_name
    );
$func$;
