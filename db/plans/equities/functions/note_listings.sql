-- Assets come from the plan's files, from upsert_assets, from anybody who knows of a listing. The table listings says
-- which code each had and since when. An asset without a row there has had its code since an unknown day, or since
-- another listing gave the code up.

create or replace function equities._unnoted_listings()
returns table (asset_id bigint, valid daterange, code text, group_key text, name text, isin text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.asset_id, daterange(u.given_up, null), a.code, a.group_key, a.attributes ->> 'name', a.attributes ->> 'isin'
    from headgate.v_assets as a
    left join (
        select l.code, max(upper(l.valid)) as given_up, bool_or(upper_inf(l.valid)) as is_held
        from equities.listings as l
        group by l.code
    ) as u using (code)
    where a.universe = 'equities'
        and u.is_held is not true
        and not exists (select from equities.listings as l where l.asset_id = a.asset_id);
$func$;

comment on function equities._unnoted_listings() is
    'Assets that have no row in equities.listings yet, each as the row it will get.';

create or replace function equities._listings()
returns table (asset_id bigint, valid daterange, code text, group_key text, name text, isin text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select l.asset_id, l.valid, l.code, l.group_key, l.name, l.isin
    from equities.listings as l
    union all
    select * from equities._unnoted_listings();
$func$;

comment on function equities._listings() is
    'Which code meant which listing and when, including listings that are not noted yet.';

-- Stores the codes of new listings and those changed by hand: before lists are compared, and at the end of each run.
create or replace function equities.note_listings()
returns table (noted integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_today constant date := (headgate.clock() at time zone 'UTC')::date;
begin
    with renamed as (
        update equities.listings as l
        set valid = daterange(lower(l.valid), greatest(v_today, lower(l.valid) + 1))
        from headgate.v_assets as a
        where a.asset_id = l.asset_id
            and a.code <> l.code
            and upper_inf(l.valid)
        returning a.asset_id, upper(l.valid) as since, a.code, a.group_key, l.name, l.isin
    )
    insert into equities.listings (asset_id, valid, code, group_key, name, isin)
    select r.asset_id, daterange(r.since, null), r.code, r.group_key, r.name, r.isin
    from renamed as r
    order by r.asset_id;

    insert into equities.listings (asset_id, valid, code, group_key, name, isin)
    select u.*
    from equities._unnoted_listings() as u
    order by u.asset_id
    on conflict do nothing;
    get diagnostics noted = row_count;
    return next;
end;
$func$;

comment on function equities.note_listings() is
    'Note the codes of new listings, and codes that were changed by hand; returns how many listings are new.';
