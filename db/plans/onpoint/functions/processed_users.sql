-- The cleaned users of a run: one per number, typed, and null for empty values.

create or replace function onpoint.processed_users(p_run_id text)
returns setof onpoint.users
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct on (r.id)
        r.id, nullif(btrim(r.name), ''), nullif(btrim(r.username), ''), nullif(lower(btrim(r.email)), ''),
        nullif(btrim(r.phone), ''), nullif(btrim(r.website), ''), r.address ->> 'city', r.company ->> 'name',
        d.crawled_at
    from onpoint.raw_documents as d
    cross join lateral rows from (
        jsonb_to_recordset(d.document) as (
            id bigint, name text, username text, email text, phone text, website text, address jsonb, company jsonb
        )
    ) with ordinality as r (id, name, username, email, phone, website, address, company, place)
    where d.run_id = p_run_id
        and d.name = 'jsonplaceholder_users'
        and r.id is not null
    order by r.id, r.place desc;
$func$;

comment on function onpoint.processed_users(text) is 'A run''s users, cleaned: the last record of each number.';
