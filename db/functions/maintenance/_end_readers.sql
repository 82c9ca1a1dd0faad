-- A role may lift its own time limits, so a reader's transaction could hold the horizon for ever: every deleted message would
-- stay. What is older than the setting reader_transactions is ended here. Real time, not the plan's.

create or replace function headgate._late_readers()
returns table (pid integer, login text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select a.pid, a.usename
    from pg_stat_activity as a
    join pg_roles as r on r.oid = a.usesysid
    cross join headgate.settings as s
    where s.name = 'reader_transactions'
        and a.datname = current_database()
        and a.xact_start < clock_timestamp() - (s.value #>> '{}')::interval
        and not r.rolsuper
        and exists (  -- a role that is missing is the doctor's to name
            select
            from pg_catalog.pg_roles as g
            where g.rolname = 'headgate_reader'
                and pg_has_role(r.oid, g.oid, 'member')
        )
        and not exists (
            select
            from pg_catalog.pg_roles as g
            where g.rolname in ('headgate_planner', 'headgate_runner', 'headgate_owner')
                and pg_has_role(r.oid, g.oid, 'member')
        );
$func$;

-- End them; returns how many were. Without the right to, none: headgate.examine says what is missing.
create or replace function headgate._end_readers()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_ended integer;
begin
    if not headgate._may_end_sessions() then
        return 0;
    end if;
    select count(*) filter (where pg_terminate_backend(r.pid)) into v_ended from headgate._late_readers() as r;
    return v_ended;
end;
$func$;

create or replace function headgate._may_end_sessions()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select pg_has_role('headgate_owner', 'pg_signal_backend', 'usage');
$func$;
