-- role: migrator
-- The roles themselves, put right: one that is missing is made, and none may more than its work needs. They belong to the whole
-- server, so nothing is written that is so already.

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
            ('headgate_reader', true)
        ) as w (name, may_login)
        left join pg_catalog.pg_roles as r on r.rolname = w.name
        where r.rolname is null
            or r.rolcanlogin <> w.may_login
            or r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolreplication or r.rolbypassrls
    loop
        begin
            if v_role.is_missing then
                execute format('create role %I', v_role.name);
            end if;
            execute format(
                'alter role %I %s nosuperuser nocreatedb nocreaterole noreplication nobypassrls',
                v_role.name, case when v_role.may_login then 'login' else 'nologin' end
            );
        exception
            when insufficient_privilege then
                raise warning 'role % is not as it should be', v_role.name using hint = 'a superuser may alter it';
            when duplicate_object or unique_violation or internal_error then null;  -- another database's migration was faster
        end;
    end loop;
end;
$roles$;

-- The owner's functions tell the age of other users' transactions (headgate.v_database_health), never their queries.
do $stats$
begin
    if not pg_has_role('headgate_owner', 'pg_read_all_stats', 'member') then
        grant pg_read_all_stats to headgate_owner;
    end if;
exception
    when insufficient_privilege then
        raise warning 'headgate_owner may not see how old transactions are'
            using hint = 'a superuser says: grant pg_read_all_stats to headgate_owner';
    when unique_violation or internal_error then null;  -- another database's migration was faster
end;
$stats$;

-- Rights of the database itself, which neither a clone nor a restored dump brings along.
do $database$
begin
    execute format('revoke temporary on database %I from public', current_database());
    revoke create on schema public from public;
exception
    when insufficient_privilege then
        raise warning 'everybody may make temporary tables here' using hint = 'the owner of the database may revoke that';
    when internal_error then null;  -- another migration of this server was faster
end;
$database$;

-- Compiling a statement takes seconds where running it takes milliseconds: none of ours is worth it.
do $jit$
begin
    if current_setting('jit')::boolean then
        execute format('alter database %I set jit = off', current_database());
    end if;
exception
    when insufficient_privilege then
        raise warning 'statements may be compiled here, which takes seconds'
            using hint = format('the owner of the database says: alter database %I set jit = off', current_database());
end;
$jit$;
