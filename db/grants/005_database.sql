-- role: migrator
-- Rights of the database itself, which neither a clone nor a restored dump brings along.
do $database$
begin
    execute format('revoke temporary, connect on database %I from public', current_database());
    execute format(
        'grant connect on database %I to headgate_owner, headgate_planner, headgate_runner, headgate_reader',
        current_database()
    );
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
    if current_setting('jit')::boolean then
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
