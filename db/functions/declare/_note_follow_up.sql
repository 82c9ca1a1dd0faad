-- Record an object that is skipped because it refers to an invalid one; its message is empty, so it is not reported.
create or replace function headgate._note_follow_up(
    p_kind text,
    p_name text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._note_mistake(p_kind, p_name, '', null);
$func$;
