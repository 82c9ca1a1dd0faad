-- Whoever changes where a secret is sent, or which, is recorded. Only if he may say so (a superuser, or a member of the owner) is it
-- taken for what it should be: a change by anybody else, whatever way he found, is what the doctor names.

create or replace function headgate._note_address()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    if tg_op = 'UPDATE' and (old.base_url, old.auth, old.secret_name) is distinct from (new.base_url, new.auth, new.secret_name) then
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
        where (a.base_url, a.auth, a.secret_name) is distinct from (excluded.base_url, excluded.auth, excluded.secret_name);
    end if;
    return null;
end;
$func$;

create or replace trigger provider_address_is_noted
after insert or update of base_url, auth, secret_name on headgate.providers
for each row
execute function headgate._note_address();

comment on trigger provider_address_is_noted on headgate.providers is 'Whoever changes where a secret is sent is recorded.';

-- Providers whose secret is sent elsewhere than was said, or whose secret is another one.
create or replace function headgate._strange_addresses()
returns table (provider text, found text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, concat_ws(
        '; ',
        case when a.provider_id is null then format('calls go to %s, and nobody who may say so has set it', p.base_url) end,
        case when a.provider_id is not null and p.base_url is distinct from a.base_url
            then format('calls go to %s instead of %s', p.base_url, a.base_url) end,
        case when a.provider_id is not null and p.secret_name is distinct from a.secret_name
            then format('the secret is %s instead of %s', p.secret_name, a.secret_name) end,
        case when p.auth is distinct from a.auth then 'the secret goes elsewhere in them' end,
        case when a.provider_id is not null then format('what was known was set by %s on %s', a.noted_by, a.noted_at) end,
        coalesce(format('changed by %s on %s', c.operator, c.acted_at), 'who changed it is not recorded')
    )
    from headgate.providers as p
    left join headgate.provider_addresses as a using (provider_id)
    left join lateral (
        select o.operator, o.acted_at
        from headgate.operator_actions as o
        where o.action = 'provider_address'
            and o.arguments ->> 'provider' = p.name
        order by o.acted_at desc
        limit 1
    ) as c on true
    where a.provider_id is null
        or (p.base_url, p.auth, p.secret_name) is distinct from (a.base_url, a.auth, a.secret_name);
$func$;

-- Whether whoever has logged in, and the role he has taken on, may act for the owner.
create or replace function headgate._is_owners()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select pg_has_role(session_user, 'headgate_owner', 'member')
        and (
            current_setting('role') = 'none'
            or exists (
                select
                from pg_roles as r
                where r.rolname = current_setting('role')
                    and pg_has_role(r.oid, 'headgate_owner', 'member')
            )
        );
$func$;
