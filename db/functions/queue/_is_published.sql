-- Whether a table's changes are published for an operation.

create or replace function headgate._is_published(
    p_operation text,
    p_table text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from pg_publication_rel as r
        join pg_publication as p on p.oid = r.prpubid
        where p.pubname = 'headgate_' || p_operation
            and r.prrelid = to_regclass(p_table)
    );
$func$;
