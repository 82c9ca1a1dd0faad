-- Record changes of a provider's address or secret. Only an authorised role (a superuser or a member of the owner) sets
-- the expected address; any other change is reported by the doctor.

create or replace function headgate._note_address()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    if tg_op = 'UPDATE'
        and (old.base_url, old.auth, old.secret_name) is distinct from (new.base_url, new.auth, new.secret_name)
    then
        perform headgate._record_action(
            'provider_address', jsonb_build_object('provider', new.name),
            jsonb_build_object(
                'from', jsonb_build_array(old.base_url, old.auth, old.secret_name),
                'to', jsonb_build_array(new.base_url, new.auth, new.secret_name)
            )
        );
    end if;
    if headgate._is_owners() then
        insert into headgate.provider_addresses as a (provider_id, base_url, auth, secret_name, noted_at, noted_by)
        values (new.provider_id, new.base_url, new.auth, new.secret_name, clock_timestamp(), session_user)
        on conflict (provider_id) do update
        set base_url = excluded.base_url,
            auth = excluded.auth,
            secret_name = excluded.secret_name,
            noted_at = excluded.noted_at,
            noted_by = excluded.noted_by
        where (a.base_url, a.auth, a.secret_name)
            is distinct from (excluded.base_url, excluded.auth, excluded.secret_name);
    end if;
    return null;
end;
$func$;

create or replace trigger provider_address_is_noted
after insert or update of base_url, auth, secret_name on headgate.providers
for each row
execute function headgate._note_address();

comment on trigger provider_address_is_noted on headgate.providers is
    'Records who changes where a secret is sent.';
