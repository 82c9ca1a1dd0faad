-- Pipelines that come after unknown pipelines, or after themselves.

create or replace function headgate._pipeline_mistakes()
returns table (kind text, name text, code text, message text, hint text, missing_kind text, missing text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'pipeline', p.name, 'HG020',
        format('pipeline %s comes after the unknown pipeline %s', p.name, quote_literal(n.name)),
        headgate._known('known pipelines', n.name, array(
            select k.name from headgate.pipelines as k where not k.is_retired and k.name <> p.name order by k.name
        )),
        'pipeline', n.name
    from headgate.pipelines as p
    cross join unnest(p.after) as n (name)
    where not p.is_retired
        and not exists (select from headgate.pipelines as k where k.name = n.name and not k.is_retired)
    union all
    select
        'pipeline', c.name, 'HG020',
        format('pipeline %s comes after itself%s', c.name, ', over ' || array_to_string(c.others, ', ')),
        'take it, or one of them, out of after: no run of them would ever start', null, null
    from headgate._circles() as c;
$func$;

-- Each pipeline with each that it comes after. Without the number of rows PostgreSQL would make room for millions in
-- the recursion below, which takes longer than all else that is checked.
create or replace function headgate._comes_after()
returns table (name text, before text, is_retired boolean)
language sql
stable
rows 20
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, n.name, p.is_retired
    from headgate.pipelines as p
    cross join unnest(p.after) as n (name);
$func$;

-- Pipelines that come after themselves, directly or through others.
create or replace function headgate._circles()
returns table (name text, others text[])
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with recursive behind as (
        select a.name, a.before
        from headgate._comes_after() as a
        where not a.is_retired
        union
        select b.name, a.before
        from behind as b
        join headgate._comes_after() as a on a.name = b.before
    )
    select b.name, nullif(array(
        select o.before
        from behind as o
        join behind as r on (r.name, r.before) = (o.before, o.name)
        where o.name = b.name
            and o.before <> o.name
        order by o.before
    ), '{}')
    from behind as b
    where b.name = b.before;
$func$;
