-- The age of the newest row of each table.

create or replace function onpoint.check_freshness()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with newest as (
        select 'posts' as name, max(t.etl_processed_at) as at from onpoint.posts as t
        union all
        select 'users', max(t.etl_processed_at) from onpoint.users as t
        union all
        select 'comments', max(t.etl_processed_at) from onpoint.comments as t
    ),
    aged as (
        select n.name, n.at, round(extract(epoch from headgate.clock() - n.at) / 3600, 2) as hours from newest as n
    ),
    judged as (
        select a.*, case when a.at is null then 'NO_DATA' when a.hours < 25 then 'HEALTHY' else 'STALE' end as status
        from aged as a
    )
    select jsonb_build_object(
        'status', case when bool_and(j.status = 'HEALTHY') then 'HEALTHY' when bool_or(j.status = 'STALE') then 'STALE'
            else 'NO_DATA' end,
        'tables', jsonb_object_agg(j.name, jsonb_build_object(
            'status', j.status, 'last_update', j.at, 'hours_since_update', j.hours
        ))
    )
    from judged as j;
$func$;

comment on function onpoint.check_freshness() is
    'For posts, users and comments: HEALTHY under 25 hours, else STALE, or NO_DATA for an empty table.';
