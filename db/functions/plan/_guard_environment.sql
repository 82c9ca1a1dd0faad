-- A handler's environment contains neither secrets of providers nor database credentials: checked when it is declared,
-- and when a secret is declared.

create or replace function headgate._guard_environment()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_fault text;
begin
    if tg_table_name = 'operations' then
        select format('%s: not a valid variable name', quote_nullable(e.name)) into v_fault
        from unnest(new.handler_environment) as e (name)
        where e.name is null
            or e.name !~ '^[A-Za-z_][A-Za-z0-9_]*$'
        limit 1;
        if found then
            perform headgate._raise(
                'HG020',
                format('operation %s: its handler cannot see %s', new.name, v_fault),
                'handler_environment is an array of names like MODEL_KEY; their values are in the environment of the '
                'worker'
            );
        end if;
    end if;

    select format('operation %s: its handler may not see %s, %s', o.name, e.name, case
        when p.name is null then 'which leads to the database'
        else format('the secret of provider %s', p.name)
    end) into v_fault
    from headgate.operations as o
    cross join unnest(o.handler_environment) as e (name)
    left join headgate.providers as p on upper(p.secret_name) = upper(e.name)
    where (p.name is not null or e.name ~* '^(PG|HEADGATE_((LISTEN_)?DSN|SECRETS|(\w+_)?PASSWORD)$)')
        and case tg_table_name
            when 'operations' then o.operation_id = (to_jsonb(new) ->> 'operation_id')::bigint
            else p.provider_id = (to_jsonb(new) ->> 'provider_id')::bigint
        end
    limit 1;
    if v_fault is not null then
        perform headgate._raise(
            'HG020', v_fault, 'handlers make no calls, so they get no secrets: remove the name from handler_environment'
        );
    end if;
    return null;
end;
$func$;

create or replace trigger handler_environment_is_harmless
after insert or update of handler_environment on headgate.operations
for each row
when (new.handler_environment <> '{}')
execute function headgate._guard_environment();

comment on trigger handler_environment_is_harmless on headgate.operations is 'Handlers never see a secret.';

create or replace trigger secret_is_no_handlers
after insert or update of secret_name on headgate.providers
for each row
when (new.secret_name is not null)
execute function headgate._guard_environment();

comment on trigger secret_is_no_handlers on headgate.providers is 'What a handler sees does not become a secret.';
