create or replace function headgate._resolve_alert(
    p_subject text,
    p_caller text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_raised_by text;
begin
    select a.raised_by into v_raised_by
    from headgate.alerts as a
    where a.subject = p_subject
        and a.resolved_at is null;
    if p_caller like 'headgate\_plan\_%' and v_raised_by <> p_caller then
        raise warning 'the alert % stays open: it belongs to %', quote_literal(p_subject), v_raised_by;
        return;
    end if;
    perform headgate._set_alert(p_subject, null, null, false, headgate.clock());
end;
$func$;
