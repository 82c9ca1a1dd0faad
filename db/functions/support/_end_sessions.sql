-- A role can raise its own time limits, so a reader's transaction could hold back the xmin horizon forever (no deleted
-- message would be removed), and any login could fill the server's lock table. Sessions beyond the limits in
-- headgate.role_limits are ended: by each heartbeat, by status queries, by the maintenance and by the doctor. Uses real
-- time.

-- End them; returns how many. Without the right to do so, none: headgate.examine reports what is missing.
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
    perform headgate._cancel_late_checks();
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

-- A function cannot limit its own time: a check's session says by its name until when it may take, and is cancelled by
-- others. A login can say so of nobody but itself.
create or replace function headgate._cancel_late_checks()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select pg_cancel_backend(s.pid)
    from (
        select a.pid, substring(a.application_name from '^headgate check until (\d{1,12})$')::bigint as until
        from pg_stat_activity as a
        join pg_roles as r on r.oid = a.usesysid and not r.rolsuper
        where a.datname = current_database()
            and a.pid <> pg_backend_pid()
            and a.state = 'active'
    ) as s
    where s.until < extract(epoch from clock_timestamp());
$func$;
