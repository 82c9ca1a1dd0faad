-- Role settings that differ from headgate.role_limits: other values, or settings that are not listed, including those a
-- role has set for its own future sessions. wanted is null for a setting that should not exist.

create or replace function headgate._role_deviations()
returns table (role text, place text, name text, found text, wanted text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with role as (
        select r.oid, r.rolname::text as role, r.rolconnlimit
        from pg_roles as r
        where r.rolname in ('headgate_planner', 'headgate_runner', 'headgate_reader')
    ),
    limit_of as (
        select l.role, l.name, l.value
        from headgate.role_limits as l
        where l.name not in ('connection_limit', 'transaction_age', 'idle_age', 'advisory_locks')
            -- the setting exists in this version of PostgreSQL
            and exists (select from pg_settings as s where s.name = l.name)
    ),
    setting as (
        select r.role, d.datname::text as place, split_part(c.setting, '=', 1) as name,
            substr(c.setting, strpos(c.setting, '=') + 1) as value
        from role as r
        join pg_db_role_setting as s on s.setrole = r.oid
        left join pg_database as d on d.oid = s.setdatabase
        cross join unnest(s.setconfig) as c (setting)
        where s.setdatabase = 0
            or d.datname = current_database()
    )
    select coalesce(l.role, s.role), s.place, coalesce(l.name, s.name), s.value, l.value
    from (select r.role, l.name, l.value from limit_of as l join role as r using (role)) as l
    full join setting as s on s.role = l.role and s.name = l.name and s.place is null
    where s.value is distinct from l.value
        and coalesce((s.name, s.value) not in (  -- what our sessions pin themselves, and poolers need
            values
                ('DateStyle', 'ISO, MDY'),
                ('TimeZone', 'UTC'),
                ('standard_conforming_strings', 'on'),
                ('default_transaction_isolation', 'read committed'),
                ('array_nulls', 'on'),
                ('quote_all_identifiers', 'off'),
                ('transform_null_equals', 'off')
        ), true)
    union all
    select r.role, null, 'connection_limit', r.rolconnlimit::text, headgate._connections(l.value)::text
    from role as r
    join headgate.role_limits as l on l.role = r.role and l.name = 'connection_limit'
    where r.rolconnlimit <> headgate._connections(l.value);
$func$;

-- A number of sessions, or a share of the server's limit.
create or replace function headgate._connections(p_value text)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_value like '%\%'
            then ceil(current_setting('max_connections')::integer * rtrim(p_value, '%')::numeric / 100)::integer
        else p_value::integer
    end;
$func$;
