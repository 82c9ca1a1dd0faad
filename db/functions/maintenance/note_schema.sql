-- Called last by migrate, so that later manual changes can be detected.

create or replace function headgate.note_schema()
returns table (noted integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.schema_notes;
    insert into headgate.schema_notes (object, kind, fingerprint)
    select o.object, o.kind, o.fingerprint from headgate._schema_objects() as o;
    get diagnostics noted = row_count;
    return next;
end;
$func$;

comment on function headgate.note_schema() is 'Record the current schema as the expected one; migrate calls it last.';
