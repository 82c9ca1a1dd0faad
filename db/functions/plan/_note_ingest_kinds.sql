-- Which ingest functions take answers instead of bodies, as their signatures say.

create or replace function headgate._note_ingest_kinds()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.operations as o
    set is_ingest_of_answers = not o.is_ingest_of_answers
    where headgate._takes_answers(o) is distinct from o.is_ingest_of_answers;
$func$;
