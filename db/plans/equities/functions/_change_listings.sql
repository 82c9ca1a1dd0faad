-- Applies what the comparison with a symbol list found; each function returns how many listings it changed.

create or replace function equities._rename_listings(
    p_changes jsonb,
    p_today date
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_change record;
begin
    for v_change in
        select c.*
        from jsonb_to_recordset(p_changes) as c (asset_id bigint, code text, name text, isin text)
        order by c.asset_id
    loop
        perform equities._end_listing(v_change.asset_id, p_today);
        perform headgate.rename_asset(v_change.asset_id, v_change.code);
        insert into equities.listings (asset_id, valid, code, group_key, name, isin)
        select a.asset_id, daterange(p_today, null), a.code, a.group_key, v_change.name, v_change.isin
        from headgate.v_assets as a
        where a.asset_id = v_change.asset_id;
        delete from equities.missing_symbols as m where m.asset_id = v_change.asset_id;
    end loop;
    return jsonb_array_length(p_changes);
end;
$func$;

comment on function equities._rename_listings(jsonb, date) is 'Give listings their new codes from a day on.';

create or replace function equities._delist(
    p_gone bigint[],
    p_group_key text,
    p_today date
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_missing record;
    v_delisted integer := 0;
begin
    insert into equities.missing_symbols as m (asset_id, since, lists)
    select g.asset_id, p_today, 1
    from unnest(p_gone) as g (asset_id)
    order by g.asset_id
    on conflict (asset_id) do update
    set lists = m.lists + 1;

    for v_missing in
        delete from equities.missing_symbols as m
        where m.asset_id = any (p_gone)
            and m.lists >= equities._setting('lists_without')
        returning m.asset_id, m.since
    loop
        perform equities._end_listing(v_missing.asset_id, v_missing.since);
        perform headgate.set_asset_active(v_missing.asset_id, false);
        v_delisted := v_delisted + 1;
    end loop;
    return v_delisted;
end;
$func$;

comment on function equities._delist(bigint[], text, date) is
    'Count the consecutive lists that lack each listing; mark those that several lists lacked as delisted since the '
    'first.';

create or replace function equities._relist(
    p_back jsonb,
    p_today date
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset record;
    v_relisted integer := 0;
begin
    for v_asset in
        select a.*
        from jsonb_array_elements_text(p_back) as b (asset_id)
        join headgate.v_assets as a on a.asset_id = b.asset_id::bigint
        order by a.asset_id
    loop
        delete from equities.missing_symbols as m where m.asset_id = v_asset.asset_id;
        if not v_asset.is_active then
            insert into equities.listings (asset_id, valid, code, group_key, name, isin)
            select v_asset.asset_id, daterange(p_today, null), v_asset.code, v_asset.group_key, l.name, l.isin
            from equities.listings as l
            where l.asset_id = v_asset.asset_id
            order by l.valid desc
            limit 1;
            perform headgate.set_asset_active(v_asset.asset_id, true);
            v_relisted := v_relisted + 1;
        end if;
    end loop;
    return v_relisted;
end;
$func$;

comment on function equities._relist(jsonb, date) is
    'Restore listings that are in the list again: clear their count of missing lists, or relist them.';

create or replace function equities._reuse_codes(
    p_changes jsonb,
    p_group_key text,
    p_today date
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_change record;
    v_code text;
begin
    for v_change in
        select c.*
        from jsonb_to_recordset(p_changes) as c (
            asset_id bigint, code text, name text, isin text, type text, currency text, is_renamed boolean
        )
        order by c.asset_id
    loop
        select c.code into v_code
        from generate_series(0, 99) as n
        cross join lateral (
            select regexp_replace(v_change.code, '[.][^.]*$', '')
                || '_old' || coalesce(nullif(n, 0)::text, '') || '.' || p_group_key as code
        ) as c
        where not exists (select from headgate.v_assets as a where a.universe = 'equities' and a.code = c.code)
        order by n
        limit 1;
        perform equities._end_listing(v_change.asset_id, p_today);
        delete from equities.missing_symbols as m where m.asset_id = v_change.asset_id;
        perform headgate.rename_asset(v_change.asset_id, v_code);
        perform headgate.set_asset_active(v_change.asset_id, false);
        if not v_change.is_renamed then
            perform equities._begin_listing(to_jsonb(v_change), v_change.asset_id, p_today);
        end if;
    end loop;
    return jsonb_array_length(p_changes);
end;
$func$;

comment on function equities._reuse_codes(jsonb, text, date) is
    'Handle codes that mean another company from a day on: the old listing ends, and a new one begins or ours is '
    'renamed.';

create or replace function equities._begin_listing(
    p_listed jsonb,
    p_after_id bigint,
    p_today date
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate.upsert_assets('equities', jsonb_build_array(jsonb_build_object(
        'code', p_listed -> 'code', 'group_key', a.group_key, 'calendar', a.calendar, 'is_active', true,
        'attributes', a.attributes - array['name', 'isin', 'sector', 'country'] || jsonb_strip_nulls(jsonb_build_object(
            'name', p_listed -> 'name', 'isin', p_listed -> 'isin', 'type', p_listed -> 'type',
            'currency', p_listed -> 'currency'
        ))
    )))
    from headgate.v_assets as a
    where a.asset_id = p_after_id;
    insert into equities.listings (asset_id, valid, code, group_key, name, isin)
    select a.asset_id, daterange(p_today, null), a.code, a.group_key, p_listed ->> 'name', p_listed ->> 'isin'
    from headgate.v_assets as a
    where a.universe = 'equities'
        and a.code = p_listed ->> 'code';
$func$;

comment on function equities._begin_listing(jsonb, bigint, date) is
    'Begin a new listing as the list describes it, on the exchange of the listing that had its code before.';

create or replace function equities._end_listing(
    p_asset_id bigint,
    p_day date
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update equities.listings as l
    set valid = daterange(lower(l.valid), greatest(p_day, lower(l.valid) + 1))
    where l.asset_id = p_asset_id
        and upper_inf(l.valid);
$func$;

comment on function equities._end_listing(bigint, date) is 'End a listing''s current code on a day.';
