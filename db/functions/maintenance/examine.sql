-- The doctor's checks: problems of this database and their solution. Read-only; headgate.repair fixes what can be fixed
-- safely. A healthy subject has no row.

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
    select f.* from headgate._examine_needs() as f
    union all
    select f.* from headgate._examine_waits() as f
    union all
    select f.* from headgate._examine_stages() as f
    union all
    select f.* from headgate._examine_changes() as f
    union all
    select f.* from headgate._examine_pools() as f
    union all
    select f.* from headgate._examine_groups() as f
    union all
    select f.* from headgate._examine_ledger() as f
    union all
    select f.* from headgate._examine_calendars() as f
    union all
    select f.* from headgate._examine_days() as f
    union all
    select f.* from headgate._examine_history() as f
    union all
    select f.* from headgate._examine_sessions() as f
    union all
    select f.* from headgate._examine_functions() as f
    union all
    select f.* from headgate._examine_checks() as f
    union all
    select
        'metric ' || m.name, 'fail', m.error, 'correct its query in the plan''s file, or what it reads', false
    from headgate.plan_metrics() as m
    where m.error is not null
    union all
    select f.* from headgate._examine_channels() as f
    union all
    select f.* from headgate._examine_cache() as f
    union all
    select 'database ' || h.measure, 'warn', format('%s, more than %s', h.value, h.threshold), h.advice, false
    from headgate.database_health() as h
    where h.verdict = 'warn'
    union all
    select 'provider ' || p.name, 'warn', format('blocked until %s: %s', g.blocked_until, g.blocked_reason),
        format('wait, or unblock it: set_provider(''%s'', ''{"blocked_until": null}'')', p.name), false
    from headgate.providers as p
    join headgate.breakers as g using (provider_id)
    where g.blocked_until > headgate.clock()
    union all
    select 'operation ' || o.name, 'warn', format('blocked until %s: %s', k.blocked_until, k.blocked_reason),
        format(
            'wait, or unblock it: set_provider(''%s'', ''{"operation": "%s", "blocked_until": null}'')', p.name, o.name
        ), false
    from headgate.breakers as k
    join headgate.operations as o on o.operation_id = k.operation_id
    join headgate.providers as p on p.provider_id = o.provider_id
    where k.blocked_until > headgate.clock();
$func$;

comment on function headgate.examine() is
    'Problems found and how to fix them: schema, roles, queues, stuck work, ledger, calendars, health; '
    'no rows: none.';

-- Manual changes since the last migrate.
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
            when not exists (select from headgate.schema_notes) then 'the expected schema was never recorded'
            when s.is_another_server then 'it was recorded on another version of PostgreSQL'
            else format('%s differ from what was migrated: %s', s.differences, s.told)
        end,
        case
            when s.is_table and not s.is_another_server
                then 'headgate doctor --fix restores functions, views and rights; restore tables by hand, following '
                    'db/schema.sql'
            else 'headgate doctor --fix applies functions, views and rights again'
        end,
        true
    from summary as s
    where s.differences > 0;
$func$;

-- Roles that are missing, have more rights than they need, or other limits than role_limits; rights on the database
-- itself.
create or replace function headgate._examine_roles()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with role as (
        select w.name, w.may_login, r.*
        from (values
            ('headgate_owner', false),
            ('headgate_planner', true),
            ('headgate_runner', true),
            ('headgate_reader', true),
            ('headgate_nobody', false)
        ) as w (name, may_login)
        left join pg_roles as r on r.rolname = w.name
    ),
    fault as (
        select r.name, 'is missing' as says from role as r where r.rolname is null
        union all
        select r.name, case when r.may_login then 'may not log in' else 'may log in' end
        from role as r
        where r.rolcanlogin <> r.may_login
        union all
        select r.name, 'has more rights than it needs: ' || concat_ws(
            ', ', case when r.rolsuper then 'superuser' end, case when r.rolcreatedb then 'createdb' end,
            case when r.rolcreaterole then 'createrole' end,
            case when r.rolreplication and r.name <> 'headgate_owner' then 'replication' end,
            case when r.rolbypassrls then 'bypassrls' end
        )
        from role as r
        where r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolbypassrls
            or r.rolreplication and r.name <> 'headgate_owner'
        union all
        select d.role, case
            when d.found is null then 'has no ' || d.name
            when d.wanted is null then concat_ws(' ', 'has', d.name, 'set to', d.found, 'in database ' || d.place)
            else format('has %s %s instead of %s', d.name, d.found, d.wanted)
        end
        from headgate._role_deviations() as d
        union all
        select r.name, 'is a member of ' || m.roleid::regrole
        from role as r
        join pg_auth_members as m on m.member = r.oid
        where r.may_login or r.name = 'headgate_nobody'
    )
    select 'role ' || f.name, 'fail', string_agg(f.says, '; ' order by f.says),
        case when bool_or(f.says like 'is a member%') then 'revoke that membership by hand; ' else '' end
        || 'headgate doctor --fix restores the rest', true
    from fault as f
    group by f.name
    union all
    select 'rights of the database', 'warn',
        'everybody may ' || string_agg(
            case a.privilege_type when 'TEMPORARY' then 'make temporary tables' else 'connect' end,
            ' and ' order by a.privilege_type
        ),
        'headgate doctor --fix revokes it', true
    from pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where d.datname = current_database()
        and a.grantee = 0
    having count(*) > 0
    union all
    select 'address of ' || s.provider, 'fail', s.found,
        'if it is correct, a superuser sets it by set_provider with base_url; if not, an account was misused: '
        'change the secret',
        false
    from headgate._strange_addresses() as s;
$func$;

-- Sessions that exceed their role's limits, whether the owner may see and end them, and locks of others on our tables.
create or replace function headgate._examine_sessions()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'sessions beyond their limits', 'warn',
        string_agg(format('%s (%s): %s', l.login, l.pid, l.excess), '; ' order by l.pid),
        'headgate doctor --fix ends them; runners and the maintenance do so too', headgate._may_end_sessions()
    from headgate._late_sessions() as l
    having count(*) > 0
    union all
    select
        'role headgate_owner', 'warn', format('is not a member of %s: %s', m.role, m.lack),
        format('as a superuser, run: grant %s to headgate_owner', m.role), false
    from (values
        ('pg_read_all_stats', 'it cannot see the age of transactions'),
        ('pg_signal_backend', 'it cannot end sessions that exceed their limits')
    ) as m (role, lack)
    where not pg_has_role('headgate_owner', m.role, 'usage')
    union all
    select
        'locks of ' || f.login, 'warn', string_agg(f.says, '; ' order by f.says),
        format('look at its query, or end it: select pg_terminate_backend(%s)', f.pid), false
    from headgate._foreign_locks() as f
    group by f.login, f.pid;
$func$;

-- Only pgmq takes an advisory lock, while a queue is created; and only our roles should lock our tables. Each row names
-- the waiting session and the lock.
create or replace function headgate._foreign_locks()
returns table (login text, pid integer, says text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with lock as materialized (
        select l.*, a.usename::text as login
        from pg_locks as l
        join pg_stat_activity as a using (pid)
        where a.datname = current_database()
            and a.backend_type = 'client backend'
            and l.pid <> pg_backend_pid()
    )
    select l.login, l.pid, format('%s advisory locks', count(*))
    from lock as l
    where l.locktype = 'advisory'
        and l.granted
    group by l.login, l.pid
    union all
    select l.login, l.pid, format('%s on %s', l.mode, l.relation::regclass)
    from lock as l
    join pg_class as c on c.oid = l.relation
    join pg_namespace as n on n.oid = c.relnamespace
    where l.granted
        and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        and (n.nspname in ('headgate', 'pgmq') or pg_get_userbyid(n.nspowner) like 'headgate\_plan\_%')
        and c.relkind in ('r', 'p')
    union all
    select h.login, h.pid, format('%s (%s) waits for its lock', w.login, w.pid)
    from (select distinct l.pid, l.login from lock as l where not l.granted) as w
    cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid)
    join (select distinct l.pid, l.login from lock as l) as h on h.pid = b.pid
    where h.login not in ('headgate_planner', 'headgate_runner');
$func$;

-- Plan functions that rows refer to and that cannot be called (headgate._misfit).
create or replace function headgate._examine_functions()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select 'function ' || f.name, 'fail', 'it is not called: ' || headgate._misfit(f.name),
        'headgate doctor --fix applies the plan''s functions again; find out who changed it', true
    from (
        select o.ingest_function as name from headgate.operations as o
        union
        select o.input_function from headgate.operations as o
        union
        select o.body_function from headgate.operations as o
        union
        select o.due_function from headgate.operations as o
        union
        select s.function from headgate.pipeline_steps as s
        union
        select c.function from headgate.checks as c
    ) as f
    where f.name is not null
        and headgate._misfit(f.name) is not null;
$func$;

-- Checks that did not pass when they last ran, by the worst of their subjects.
create or replace function headgate._examine_checks()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'check ' || c.name,
        case when c.status = 'errored' then 'fail' else 'warn' end,
        format('%s since %s', c.message, c.failing_since),
        case
            when c.status = 'errored' then 'correct its query in the plan''s file, or what it reads'
            else format('look at its failing rows: headgate.v_check_results where name = %L', c.name)
        end,
        false
    from headgate.v_checks as c
    where c.status <> 'passed';
$func$;

-- Calendars that end too soon for operations due by session.
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
        format('load later sessions: python -m headgate.handlers.calendars %s --help', c.calendar),
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
    select
        'history', 'warn', 'next month has no partition yet',
        'headgate doctor --fix creates it; so does headgate.retain', true
    where to_regclass('headgate.asset_processing_details_' || to_char(
        headgate.clock() at time zone 'UTC' + interval '1 month', 'YYYYMM'
    )) is null;
$func$;
