-- Not written, because what it refers to is wrong, and not reported: its message is empty.
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
