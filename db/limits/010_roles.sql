-- Sets the roles' limits as headgate.role_limits has them, so that nobody holds back the cleaning of the queues (an old
-- snapshot anywhere makes a drain ten times slower), and no stolen password takes all connections. Settings that the
-- rows do not name go back to their defaults. Roles belong to the whole server, so nothing is written that is so
-- already. It commits by itself, as the roles do.

do $limits$
declare
    v_wrong record;
begin
    for v_wrong in
        select d.role, d.place, d.name, d.wanted
        from headgate._role_deviations() as d
        where d.role in ('headgate_planner', 'headgate_runner', 'headgate_reader')
        order by d.role, d.name
    loop
        begin
            if v_wrong.name = 'connection_limit' then
                execute format('alter role %I connection limit %s', v_wrong.role, v_wrong.wanted::integer);
            elsif v_wrong.wanted is null then
                execute format(
                    'alter role %I %s reset %I', v_wrong.role,
                    case when v_wrong.place is not null then format('in database %I', v_wrong.place) end, v_wrong.name
                );
            else
                execute format('alter role %I set %I = %L', v_wrong.role, v_wrong.name, v_wrong.wanted);
            end if;
        exception
            when insufficient_privilege then
                raise warning 'may not set % of %', v_wrong.name, v_wrong.role
                    using hint = 'a superuser or the creator of the role may';
        end;
    end loop;
end;
$limits$;
