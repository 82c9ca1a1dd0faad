-- An asset whose document does not say is_active keeps what an operator has set; a new one is active.

create or replace function headgate._upsert_assets(
    p_universe text,
    p_assets jsonb
)
returns table (inserted integer, updated integer, unchanged integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_given integer;
begin
    perform headgate._check_assets(p_universe, p_assets);
    v_given := jsonb_array_length(p_assets);

    with given as (
        select
            r.code,
            r.group_key,
            r.calendar,
            coalesce(r.attributes, '{}') as attributes,
            coalesce(r.weight, 1) as weight,
            r.is_active
        from jsonb_to_recordset(p_assets) as r (
            code text, group_key text, calendar text, attributes jsonb, weight double precision, is_active boolean
        )
    ),
    changed as (
        select g.code, g.group_key, g.calendar, g.attributes, g.weight, k.is_active
        from given as g
        left join headgate.assets as a on a.universe = p_universe and a.code = g.code
        cross join lateral (select coalesce(g.is_active, a.is_active, true) as is_active) as k
        where a.asset_id is null
            or (a.group_key, a.calendar, a.attributes, a.weight, a.is_active)
                is distinct from (g.group_key, g.calendar, g.attributes, g.weight, k.is_active)
        order by g.code
    ),
    written as (
        insert into headgate.assets as a (universe, code, group_key, calendar, attributes, weight, is_active)
        select p_universe, c.code, c.group_key, c.calendar, c.attributes, c.weight, c.is_active
        from changed as c
        on conflict (universe, code) do update
        set group_key = excluded.group_key,
            calendar = excluded.calendar,
            attributes = excluded.attributes,
            weight = excluded.weight,
            is_active = excluded.is_active
        returning xmax = 0 as is_new
    )
    select count(*) filter (where w.is_new), count(*) filter (where not w.is_new), v_given - count(*)
    into inserted, updated, unchanged
    from written as w;

    perform headgate._open_needs(array[p_universe]);
    return next;
end;
$func$;

-- Reject an invalid document before anything is written, naming its first error.
create or replace function headgate._check_assets(
    p_universe text,
    p_assets jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_fault text;
begin
    if coalesce(p_universe, '') = '' or jsonb_typeof(p_assets) is distinct from 'array' then
        v_fault := 'p_universe must be a name and p_assets a JSON array';
    else
        select case
            when jsonb_typeof(e.asset) <> 'object' then format('asset %s must be an object', e.nth)
            when coalesce(e.asset ->> 'code', '') = '' then format('asset %s has no code', e.nth)
            when coalesce(e.asset ->> 'group_key', '') = '' then format('asset %s has no group_key', e.asset ->> 'code')
            when coalesce(jsonb_typeof(e.asset -> 'attributes'), 'object') <> 'object'
                then format('asset %s: attributes must be an object', e.asset ->> 'code')
            when coalesce(jsonb_typeof(e.asset -> 'weight'), 'number') <> 'number'
                or (e.asset -> 'weight') < '1e-300' or (e.asset -> 'weight') > '1e300'
                then format('asset %s: weight must be a positive number', e.asset ->> 'code')
            when coalesce(jsonb_typeof(e.asset -> 'is_active'), 'boolean') <> 'boolean'
                then format('asset %s: is_active must be true or false', e.asset ->> 'code')
            else (
                select format('asset %s: unknown key %s', e.asset ->> 'code', k.key)
                from jsonb_object_keys(e.asset) as k (key)
                where k.key not in ('code', 'group_key', 'calendar', 'attributes', 'weight', 'is_active')
                limit 1
            )
        end as fault
        into v_fault
        from jsonb_array_elements(p_assets) with ordinality as e (asset, nth)
        where jsonb_typeof(e.asset) <> 'object'
            or coalesce(e.asset ->> 'code', '') = ''
            or coalesce(e.asset ->> 'group_key', '') = ''
            or coalesce(jsonb_typeof(e.asset -> 'attributes'), 'object') <> 'object'
            or coalesce(jsonb_typeof(e.asset -> 'weight'), 'number') <> 'number'
            or (e.asset -> 'weight') < '1e-300'
            or (e.asset -> 'weight') > '1e300'
            or coalesce(jsonb_typeof(e.asset -> 'is_active'), 'boolean') <> 'boolean'
            or e.asset - array['code', 'group_key', 'calendar', 'attributes', 'weight', 'is_active'] <> '{}'
        limit 1;
        if v_fault is null then
            select format('asset %s is listed twice', e.asset ->> 'code') into v_fault
            from jsonb_array_elements(p_assets) as e (asset)
            group by e.asset ->> 'code'
            having count(*) > 1
            limit 1;
        end if;
    end if;

    if v_fault is not null then
        perform headgate._raise(
            'HG008',
            v_fault,
            case
                when v_fault like '% has no group_key' then 'each asset is in a group, such as "group_key": "all"; '
                else ''
            end || 'an asset is {code, group_key, calendar, attributes, weight, is_active}; nothing was changed'
        );
    end if;
end;
$func$;
