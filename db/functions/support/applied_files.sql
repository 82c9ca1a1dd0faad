create or replace function headgate.applied_files()
returns table (path text, sha256 text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select f.path, f.sha256 from headgate.schema_files as f;
$func$;

comment on function headgate.applied_files() is
    'The files of db/ that were applied here, so that every role can tell whether the database fits its code.';
