-- Assets come as one document, so that a whole universe is one statement; each gets a state row per operation.

create or replace function headgate.upsert_assets(
    p_universe text,
    p_assets jsonb
)
returns table (inserted integer, updated integer, unchanged integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('upsert_assets', jsonb_build_object(
            'p_universe', p_universe, 'p_assets', p_assets
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (inserted integer, updated integer, unchanged integer);
$func$;

comment on function headgate.upsert_assets(text, jsonb) is
    'Add or change assets of a universe: an array of {code, group_key, calendar, attributes, weight, is_active}; returns counts.';

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
            coalesce(r.is_active, true) as is_active
        from jsonb_to_recordset(p_assets) as r (
            code text, group_key text, calendar text, attributes jsonb, weight double precision, is_active boolean
        )
    ),
    changed as (
        select g.*
        from given as g
        left join headgate.assets as a on a.universe = p_universe and a.code = g.code
        where a.asset_id is null
            or (a.group_key, a.calendar, a.attributes, a.weight, a.is_active)
                is distinct from (g.group_key, g.calendar, g.attributes, g.weight, g.is_active)
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

    perform headgate._open_needs(p_universe);
    return next;
end;
$func$;

-- Refuse a document that would end half-written, naming the first fault.
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
        v_fault := 'a universe''s name and an array of assets are needed';
    else
        select case
            when jsonb_typeof(e.asset) <> 'object' then format('asset %s is no object', e.nth)
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
            select format('asset %s is given twice', e.asset ->> 'code') into v_fault
            from jsonb_array_elements(p_assets) as e (asset)
            group by e.asset ->> 'code'
            having count(*) > 1
            limit 1;
        end if;
    end if;

    if v_fault is not null then
        perform headgate._raise(
            'HG008', v_fault, 'an asset is {code, group_key, calendar, attributes, weight, is_active}; nothing was changed'
        );
    end if;
end;
$func$;

-- Give each asset a state row for each operation of its universe, and bring priorities up to date.
-- One caller at a time, so that new rows are a plain insert: `on conflict` doubles its cost.
create or replace function headgate._open_needs(p_universe text default null)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation headgate.operations;
begin
    perform headgate._lock('needs');
    for v_operation in
        select *
        from headgate.operations as o
        where (p_universe is null or o.universe = p_universe)
            and not o.is_retired
            and o.alternative_of_operation_id is null  -- a call that serves another operation is no need of its own
        order by o.operation_id
    loop
        update headgate.asset_processing_state as s
        set priority = headgate._state_priority(v_operation.priority, a.weight)
        from headgate.assets as a
        where s.operation_id = v_operation.operation_id
            and a.asset_id = s.asset_id
            and s.priority <> headgate._state_priority(v_operation.priority, a.weight);

        insert into headgate.asset_processing_state (operation_id, asset_id, priority, next_due_at)
        select
            v_operation.operation_id,
            a.asset_id,
            headgate._state_priority(v_operation.priority, a.weight),
            case
                when v_operation.follows_operation_id is not null or v_operation.due_rule = 'after' then null
                when v_operation.due_rule = 'function'
                    then headgate._next_due_at(v_operation, a.asset_id, a.calendar, null, v_now)
                else v_now
            end
        from headgate.assets as a
        where a.universe = v_operation.universe
            and not exists (
                select
                from headgate.asset_processing_state as s
                where s.operation_id = v_operation.operation_id
                    and s.asset_id = a.asset_id
            )
        order by a.asset_id;
    end loop;
end;
$func$;

-- An operation that has moved to another universe needs nothing of the assets of the one before. Their history stays,
-- and jobs under way end first.
create or replace function headgate._drop_needs()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.asset_processing_state as s
    using headgate.assets as a, headgate.operations as o
    where a.asset_id = s.asset_id
        and o.operation_id = s.operation_id
        and o.universe <> a.universe
        and s.chunk_id is null;
$func$;
