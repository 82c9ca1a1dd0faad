-- A role may lift its own time limits, so a reader's transaction could hold the horizon for ever (every deleted message
-- would stay), and any login could fill the server's table of locks. Sessions beyond what headgate.role_limits allows
-- are ended: by each heartbeat, by who asks how a run stands, by the maintenance and by the doctor. Real time, not the
-- plan's.

-- End them; returns how many were. Without the right to, none: headgate.examine says what is missing.
create or replace function headgate._end_sessions()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_ended integer;
    v_logins jsonb;
begin
    if not headgate._may_end_sessions() then
        return 0;
    end if;
    select count(*), jsonb_agg(distinct e.login)
    into v_ended, v_logins
    from (select s.login, pg_terminate_backend(s.pid) as is_ended from headgate._late_sessions() as s) as e
    where e.is_ended;
    if v_ended > 0 then
        perform headgate._record_action(
            'end_sessions', '{}', jsonb_build_object('sessions', v_ended, 'logins', v_logins)
        );
    end if;
    return v_ended;
end;
$func$;
