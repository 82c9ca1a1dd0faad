-- Time limits of the roles, so that nobody holds back the cleaning of the queues: an old snapshot anywhere cuts a
-- drain by ten. Roles belong to the whole server, so a setting is written only where it is missing.

do $roles$
declare
    v_setting record;
begin
    for v_setting in
        select *
        from (values
            ('headgate_planner', 'idle_in_transaction_session_timeout', '60s'),
            ('headgate_runner', 'idle_in_transaction_session_timeout', '60s'),
            ('headgate_reader', 'idle_in_transaction_session_timeout', '60s'),
            ('headgate_reader', 'statement_timeout', '60s'),
            ('headgate_reader', 'lock_timeout', '5s'),
            ('headgate_reader', 'default_transaction_read_only', 'on'),
            ('headgate_reader', 'transaction_timeout', '5min')
        ) as s (role, name, value)
        where (s.name <> 'transaction_timeout' or current_setting('server_version_num')::integer >= 170000)
            and not exists (
                select
                from pg_catalog.pg_roles as r
                where r.rolname = s.role
                    and r.rolconfig @> array[s.name || '=' || s.value]
            )
        order by s.role, s.name
    loop
        begin
            execute format('alter role %I set %I = %L', v_setting.role, v_setting.name, v_setting.value);
        exception
            when insufficient_privilege then
                raise warning 'may not set % of %', v_setting.name, v_setting.role
                    using hint = 'a superuser, or who made the role, may';
        end;
    end loop;
end;
$roles$;
