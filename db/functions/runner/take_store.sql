-- A store that nobody has cleaned for a day: the runner that asks does it.

create or replace function headgate.take_store()
returns table (name text, url text, endpoint text, region text, key_id_name text, secret_name text)
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.stores as s
    set cleaned_at = headgate.clock()
    where s.name = (
        select t.name
        from headgate.stores as t
        where t.cleaned_at is null
            or t.cleaned_at <= headgate.clock() - interval '1 day'
        order by t.cleaned_at nulls first, t.name
        limit 1
        for no key update skip locked
    )
    returning s.name, s.url, s.endpoint, s.region, s.key_id_name, s.secret_name;
$func$;

comment on function headgate.take_store() is
    'A store for the runner to clean now; each is due once a day; no row: none is due.';
