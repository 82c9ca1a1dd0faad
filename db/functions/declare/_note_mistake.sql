create or replace function headgate._note_mistake(
    p_kind text,
    p_name text,
    p_message text,
    p_hint text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.declaration_mistakes (plan, place, kind, name, message, hint)
    values (
        headgate._open_plan(), nullif(current_setting('headgate.place', true), ''), p_kind, p_name, p_message, p_hint
    );
$func$;
