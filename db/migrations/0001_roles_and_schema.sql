-- role: migrator
-- Who may do what, and the schema they meet in. Roles belong to the whole server, so each is made only where it is missing.

do $roles$
declare
    v_role record;
begin
    for v_role in
        select *
        from (values
            ('headgate_owner', 'nologin'),
            ('headgate_planner', 'login'),
            ('headgate_runner', 'login'),
            ('headgate_reader', 'login')
        ) as r (name, kind)
    loop
        if not exists (select from pg_catalog.pg_roles as r where r.rolname = v_role.name) then
            begin
                execute format('create role %I %s', v_role.name, v_role.kind);
            exception
                when duplicate_object or unique_violation then null;  -- another database's migration was faster
            end;
        end if;
    end loop;
end;
$roles$;

create schema if not exists headgate authorization headgate_owner;

comment on schema headgate is
    'The plan: what exists, what is due, what it costs, what may be spent, what is in flight, what happened.';

do $database$
begin
    execute format('revoke temporary on database %I from public', current_database());
    execute format('revoke create on schema public from public');
end;
$database$;
