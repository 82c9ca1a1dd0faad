-- The next migrate re-applies functions, views, roles and grants. Tables and rows are not affected.

create or replace function headgate.forget_files()
returns table (forgotten integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.schema_files as f where f.path ~ '(^|/)(roles|functions|views|grants|limits)/';
    get diagnostics forgotten = row_count;
    return next;
end;
$func$;

comment on function headgate.forget_files() is
    'Make the next migrate re-apply all roles, functions, views, grants and limits; '
    'returns how many files. Only the owner may.';
