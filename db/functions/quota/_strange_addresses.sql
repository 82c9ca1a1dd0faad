-- Providers whose address or secret differs from what an authorised role has set.

create or replace function headgate._strange_addresses()
returns table (provider text, found text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, concat_ws(
        '; ',
        case when a.provider_id is null
            then format('calls go to %s, which no authorised role has set', p.base_url) end,
        case when a.provider_id is not null and p.base_url is distinct from a.base_url
            then format('calls go to %s instead of %s', p.base_url, a.base_url) end,
        case when a.provider_id is not null and p.secret_name is distinct from a.secret_name
            then format('the secret is %s instead of %s', p.secret_name, a.secret_name) end,
        case when p.auth is distinct from a.auth then 'the secret is sent in another place' end,
        case when a.provider_id is not null
            then format('the known address was set by %s on %s', a.noted_by, a.noted_at) end,
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
