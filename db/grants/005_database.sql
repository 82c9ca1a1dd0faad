-- role: migrator
-- Rights of the database itself, which neither a clone nor a restored dump brings along.
do $database$
declare
    v_plan record;
begin
    execute format('revoke temporary, connect on database %I from public', current_database());
    execute format(
        'grant connect on database %I to headgate_owner, headgate_planner, headgate_runner, headgate_reader',
        current_database()
    );
    for v_plan in  -- none of them may log in; who may connect may ask for the database's size
        select r.rolname as role
        from pg_catalog.pg_namespace as n
        join pg_catalog.pg_roles as r on r.oid = n.nspowner
        where r.rolname like 'headgate\_plan\_%'
    loop
        execute format('grant connect on database %I to %I', current_database(), v_plan.role);
    end loop;
    revoke create on schema public from public;
exception
    when insufficient_privilege then
        raise warning 'every role may connect and create temporary tables here'
            using hint = 'the owner of the database may revoke that';
    when internal_error then null;  -- another migration of this server was faster
end;
$database$;

-- Compiling a statement takes seconds where running it takes milliseconds: none of ours is worth it.
do $jit$
begin
    if (select s.reset_val::boolean from pg_settings as s where s.name = 'jit') then  -- not migrate's own setting
        execute format('alter database %I set jit = off', current_database());
    end if;
exception
    when insufficient_privilege then
        raise warning 'statements may be compiled here, which takes seconds'
            using hint = format(
                'as the owner of the database, run: alter database %I set jit = off', current_database()
            );
end;
$jit$;
