create or replace function headgate._late_sessions()
returns table (pid integer, login text, excess text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with session as materialized (
        select a.pid, a.usename::text as login, a.usesysid, a.xact_start, a.state_change,
            a.state like 'idle in transaction%' as is_idle,
            coalesce(k.locks, 0) as locks
        from pg_stat_activity as a
        left join (
            select l.pid, count(*) as locks from pg_locks as l where l.locktype = 'advisory' group by l.pid
        ) as k using (pid)
        where a.datname = current_database()
            and a.pid <> pg_backend_pid()
            and (a.xact_start is not null or k.locks > 0)
    ),
    -- A login that is a member of several roles has the widest of their limits; the owner and superusers have none.
    limited as (
        select s.pid, s.login, s.xact_start, s.state_change, s.is_idle, s.locks,
            max(l.value::interval) filter (where l.name = 'transaction_age') as transaction_age,
            max(l.value::interval) filter (where l.name = 'idle_age') as idle_age,
            max(l.value::integer) filter (where l.name = 'advisory_locks') as advisory_locks
        from session as s
        join pg_roles as r on r.oid = s.usesysid and not r.rolsuper
        join headgate.role_limits as l on l.name in ('transaction_age', 'idle_age', 'advisory_locks')
        join pg_roles as g on g.rolname = l.role and pg_has_role(r.oid, g.oid, 'member')
        where not exists (
            select from pg_roles as o where o.rolname = 'headgate_owner' and pg_has_role(r.oid, o.oid, 'member')
        )
        group by s.pid, s.login, s.xact_start, s.state_change, s.is_idle, s.locks
    )
    select d.pid, d.login, case
        when d.xact_start < clock_timestamp() - d.transaction_age
            then format('a transaction older than %s', d.transaction_age)
        when d.is_idle and d.state_change < clock_timestamp() - d.idle_age
            then format('a transaction that has been idle for more than %s', d.idle_age)
        else format('%s advisory locks, more than %s', d.locks, d.advisory_locks)
    end
    from limited as d
    where d.xact_start < clock_timestamp() - d.transaction_age
        or d.is_idle and d.state_change < clock_timestamp() - d.idle_age
        or d.locks > d.advisory_locks;
$func$;
