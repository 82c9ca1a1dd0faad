-- The doctor's eyes: what is wrong in this database, and what to do about it. Looks only; headgate.repair mends what is mended
-- safely. A subject that is as it should be has no row.

create or replace function headgate.examine()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select f.* from headgate._examine_schema() as f
    union all
    select f.* from headgate._examine_roles() as f
    union all
    select f.* from headgate._examine_queues() as f
    union all
    select f.* from headgate._examine_work() as f
    union all
    select f.* from headgate._examine_groups() as f
    union all
    select f.* from headgate._examine_books() as f
    union all
    select f.* from headgate._examine_calendars() as f
    union all
    select f.* from headgate._examine_readers() as f
    union all
    select 'database ' || h.measure, 'warn', format('%s, more than %s', h.value, h.threshold), h.advice, false
    from headgate.database_health() as h
    where h.verdict = 'warn'
    union all
    select 'provider ' || p.name, 'warn', format('blocked until %s: %s', g.blocked_until, g.blocked_reason),
        format('wait, or unblock it: set_provider(''%s'', ''{"blocked_until": null}'')', p.name), false
    from headgate.providers as p
    join headgate.provider_gates as g using (provider_id)
    where g.blocked_until > headgate.clock()
    union all
    select 'operation ' || o.name, 'warn', format('blocked until %s: %s', k.blocked_until, k.blocked_reason),
        format(
            'wait, or unblock it: set_provider(''%s'', ''{"operation": "%s", "blocked_until": null}'')', p.name, o.name
        ), false
    from headgate.operation_gates as k
    join headgate.operations as o using (operation_id)
    join headgate.providers as p using (provider_id)
    where k.blocked_until > headgate.clock();
$func$;

comment on function headgate.examine() is
    'What is wrong here and what to do: schema, roles, queues, work that is stuck, books, calendars, health; no row: nothing.';

-- What somebody changed by hand since the last migrate.
create or replace function headgate._examine_schema()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with difference as (
        select
            coalesce(n.kind, o.kind) as kind,
            format(
                '%s %s %s', coalesce(n.kind, o.kind), coalesce(n.object, o.object),
                case when o.object is null then 'is gone' when n.object is null then 'is new' else 'was changed' end
            ) as says,
            n.object is null as is_new
        from headgate.schema_notes as n
        full join headgate._schema_objects() as o on o.object = n.object and o.kind = n.kind
        where n.fingerprint is distinct from o.fingerprint
    ),
    summary as (
        select
            count(*) as differences,
            string_agg(d.says, '; ' order by d.is_new, d.says) filter (where d.nth <= 10) as told,
            bool_or(d.kind = 'server') as is_another_server,
            bool_or(d.kind = 'table' and not d.is_new) as is_table
        from (select d.*, row_number() over (order by d.is_new, d.says) as nth from difference as d) as d
    )
    select
        'schema',
        case when s.is_another_server or not exists (select from headgate.schema_notes) then 'warn' else 'fail' end,
        case
            when not exists (select from headgate.schema_notes) then 'how it should be was never noted'
            when s.is_another_server then 'it was noted on another version of PostgreSQL'
            else format('%s differ from what was migrated: %s', s.differences, s.told)
        end,
        case
            when s.is_table and not s.is_another_server
                then 'headgate doctor --fix puts functions, views and rights right; put tables right by hand, as db/schema.sql has them'
            else 'headgate doctor --fix applies functions, views and rights again'
        end,
        true
    from summary as s
    where s.differences > 0;
$func$;

-- Roles that are missing, mightier than their work needs, or without their time limits; rights of the database itself.
create or replace function headgate._examine_roles()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with role as (
        select w.name, w.may_login, w.settings, r.*
        from (values
            ('headgate_owner', false, '{}'),
            ('headgate_planner', true, '{idle_in_transaction_session_timeout}'),
            ('headgate_runner', true, '{idle_in_transaction_session_timeout}'),
            (
                'headgate_reader', true,
                '{idle_in_transaction_session_timeout,statement_timeout,lock_timeout,default_transaction_read_only}'
            )
        ) as w (name, may_login, settings)
        left join pg_roles as r on r.rolname = w.name
    ),
    fault as (
        select r.name, 'is missing' as says from role as r where r.rolname is null
        union all
        select r.name, case when r.may_login then 'may not log in' else 'may log in' end
        from role as r
        where r.rolcanlogin <> r.may_login
        union all
        select r.name, 'may more than its work needs: ' || concat_ws(
            ', ', case when r.rolsuper then 'superuser' end, case when r.rolcreatedb then 'createdb' end,
            case when r.rolcreaterole then 'createrole' end, case when r.rolreplication then 'replication' end,
            case when r.rolbypassrls then 'bypassrls' end
        )
        from role as r
        where r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolreplication or r.rolbypassrls
        union all
        select r.name, 'has no ' || s.name
        from role as r
        cross join unnest(r.settings::text[]) as s (name)
        where r.rolname is not null
            and not exists (select from unnest(r.rolconfig) as c (setting) where c.setting like s.name || '=%')
        union all
        select r.name, 'is a member of ' || m.roleid::regrole
        from role as r
        join pg_auth_members as m on m.member = r.oid
        where r.may_login
    )
    select 'role ' || f.name, 'fail', string_agg(f.says, '; ' order by f.says),
        case when bool_or(f.says like 'is a member%') then 'revoke that membership by hand; ' else '' end
        || 'headgate doctor --fix puts the rest right', true
    from fault as f
    group by f.name
    union all
    select 'rights of the database', 'warn', 'everybody may make temporary tables', 'headgate doctor --fix revokes it', true
    from pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where d.datname = current_database()
        and a.grantee = 0
        and a.privilege_type = 'TEMPORARY';
$func$;

-- Readers whose transactions are too old, and whether the owner may see and end them.
create or replace function headgate._examine_readers()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'sessions of readers', 'warn',
        format('%s with a transaction older than %s: %s', count(*), s.value #>> '{}', string_agg(distinct r.login, ', ')),
        'headgate doctor --fix ends them; so does the maintenance', headgate._may_end_sessions()
    from headgate._late_readers() as r
    join headgate.settings as s on s.name = 'reader_transactions'
    group by s.value
    union all
    select
        'role headgate_owner', 'warn', format('is not a member of %s: %s', m.role, m.lack),
        format('a superuser says: grant %s to headgate_owner', m.role), false
    from (values
        ('pg_read_all_stats', 'it does not see how old transactions are'),
        ('pg_signal_backend', 'it cannot end readers'' sessions that hold the horizon')
    ) as m (role, lack)
    where not pg_has_role('headgate_owner', m.role, 'usage');
$func$;

-- Sessions that end too soon for what is due by session.
create or replace function headgate._examine_calendars()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'calendar ' || c.calendar,
        case when coalesce(c.ends_at, '-infinity') < headgate.clock() then 'fail' else 'warn' end,
        coalesce('sessions up to ' || c.ends_at::date, 'no sessions'),
        format('load later ones: python -m runner.calendars %s --help', c.calendar),
        false
    from (
        select a.calendar, (
            select max(t.closes_at) from headgate.trading_sessions as t where t.calendar = a.calendar
        ) as ends_at
        from (select distinct a.calendar from headgate.assets as a where a.calendar is not null and a.is_active) as a
    ) as c
    join headgate.settings as s on s.name = 'sessions_ahead'
    where coalesce(c.ends_at, '-infinity') < headgate.clock() + (s.value #>> '{}')::interval
    union all
    select 'history', 'warn', 'next month has no partition yet', 'headgate doctor --fix makes it; so does headgate.retain', true
    where to_regclass('headgate.asset_processing_details_' || to_char(
        headgate.clock() at time zone 'UTC' + interval '1 month', 'YYYYMM'
    )) is null;
$func$;
