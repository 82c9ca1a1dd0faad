-- The roles themselves, put right: one that is missing is made, and none may do more than its work needs. They belong
-- to the whole server, so nothing is written that is so already. Each statement of this folder commits, and is run
-- again when the migration of another database changes the same role at the same time.

do $roles$
declare
    v_role record;
begin
    for v_role in
        select w.name, w.may_login, r.rolname is null as is_missing
        from (values
            ('headgate_owner', false),
            ('headgate_planner', true),
            ('headgate_runner', true),
            ('headgate_reader', true),
            ('headgate_nobody', false)  -- as whom the core calls the functions of plans
        ) as w (name, may_login)
        left join pg_catalog.pg_roles as r on r.rolname = w.name
        where r.rolname is null
            or r.rolcanlogin <> w.may_login
            or r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolbypassrls
            or r.rolreplication and r.rolname <> 'headgate_owner'
        order by w.name
    loop
        begin
            execute format(
                case
                    when v_role.is_missing then 'create role %I %s'
                    else 'alter role %I %s nosuperuser nocreatedb nocreaterole nobypassrls %s'
                end,
                v_role.name, case when v_role.may_login then 'login' else 'nologin' end,
                case when v_role.name <> 'headgate_owner' then 'noreplication' end
            );
        exception
            when insufficient_privilege then
                raise warning 'role % has more rights than it needs', v_role.name
                    using hint = 'a superuser may alter it';
        end;
    end loop;
end;
$roles$;

-- Commands take on the role of their work. Superusers may; who may only create roles has to be a member.
do $members$
declare
    v_role text;
begin
    foreach v_role in array array['headgate_planner', 'headgate_runner', 'headgate_reader'] loop
        begin
            if not pg_has_role(v_role, 'usage') then
                execute format('grant %I to current_user', v_role);
            end if;
        exception
            when insufficient_privilege then
                null;  -- somebody else created it: commands then keep the login's own rights
        end;
    end loop;
end;
$members$;

-- The owner's functions tell the age of other users' transactions (headgate.v_database_health), never their queries,
-- and end sessions beyond their role's limits (headgate.heartbeat, headgate.check_health). Of nobody it owns the
-- functions that act as nobody.
do $predefined$
declare
    v_role text;
begin
    foreach v_role in array array['pg_read_all_stats', 'pg_signal_backend', 'headgate_nobody'] loop
        begin
            if not pg_has_role('headgate_owner', v_role, 'member') then
                execute format('grant %I to headgate_owner', v_role);
            end if;
        exception
            when insufficient_privilege then
                raise warning 'headgate_owner is not a member of %', v_role
                    using hint = format('as a superuser, run: grant %I to headgate_owner', v_role);
        end;
    end loop;
end;
$predefined$;

-- Publications name the tables whose changes are read from the server's log (changes_of of put_operation).
do $publications$
begin
    if not has_database_privilege('headgate_owner', current_database(), 'create') then
        execute format('grant create on database %I to headgate_owner', current_database());
    end if;
exception
    when insufficient_privilege then
        raise warning 'headgate_owner may not create publications here'
            using hint = format(
                'as the owner of the database, run: grant create on database %I to headgate_owner', current_database()
            );
end;
$publications$;
