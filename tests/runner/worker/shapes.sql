-- A plan with every shape of chunk: a call for each asset, one for a group and session, one that names assets.

create schema shapes;
grant usage on schema shapes to headgate_owner;

create table shapes.bars (
    asset_id bigint not null,
    session date not null,
    times integer not null default 1,
    constraint bars_pkey primary key (asset_id, session)
);

create table shapes.cards (
    asset_id bigint not null,
    times integer not null default 1,
    constraint cards_pkey primary key (asset_id)
);

-- An answer is an array of sessions.
create function shapes.ingest_bars(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into shapes.bars as b (asset_id, session)
    select u.asset_id, s.session::date
    from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
    cross join jsonb_array_elements_text(u.payload::jsonb) as s (session)
    on conflict on constraint bars_pkey do update set times = b.times + 1;

    return query
    select u.asset_id, 'success', jsonb_array_length(u.payload::jsonb), max(s.session)::timestamp at time zone 'UTC', null::text
    from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
    left join jsonb_array_elements_text(u.payload::jsonb) as s (session) on true
    group by u.asset_id, u.payload;
end;
$func$;

-- An answer is an array of codes, all of one session.
create function shapes.ingest_bulk(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    with there as (
        select a.asset_id, (p_context ->> 'session')::date as session
        from headgate.v_assets as a
        where a.asset_id = any (p_asset_ids)
            and a.code in (select jsonb_array_elements_text(p_payloads[1]::jsonb))
    ),
    written as (
        insert into shapes.bars as b (asset_id, session)
        select t.asset_id, t.session from there as t
        on conflict on constraint bars_pkey do update set times = b.times + 1
    )
    select t.asset_id, 'success', 1, t.session::timestamp at time zone 'UTC', null::text
    from there as t;
end;
$func$;

-- An answer is the asset's code, or an array of codes.
create function shapes.ingest_cards(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    with there as (
        select a.asset_id
        from headgate.v_assets as a
        where a.asset_id = any (p_asset_ids)
            and a.code in (
                select c.code
                from unnest(p_payloads) as p (payload)
                cross join jsonb_array_elements_text(p.payload::jsonb) as c (code)
            )
    ),
    written as (
        insert into shapes.cards as b (asset_id)
        select t.asset_id from there as t
        on conflict on constraint cards_pkey do update set times = b.times + 1
    )
    select t.asset_id, 'success', 1, null::timestamptz, null::text
    from there as t;
end;
$func$;

grant select on headgate.v_assets to public;
grant usage on schema headgate to public;

insert into headgate.providers (name, base_url, quota, breaker_failures)
values ('shop', 'http://127.0.0.1:1', 1000000, 10000);

insert into headgate.operations (
    name, universe, provider_id, units, priority, due_rule, chunk_size, path, query, ingest_function, backoff, backoff_max,
    max_attempts
)
select
    o.name, 'things', p.provider_id, o.units, o.priority, o.due_rule, 5, o.path, o.query::jsonb, o.ingest_function,
    '10 milliseconds', '20 milliseconds', 9
from (values
    ('bars', 1, 5, 'session', '/bars/{asset.code}', '{"from": "{state.watermark}"}', 'shapes.ingest_bars'),
    ('card', 5, 6, 'once', '/card/{asset.code}', '{}', 'shapes.ingest_cards')
) as o (name, units, priority, due_rule, path, query, ingest_function)
cross join headgate.providers as p
where p.name = 'shop';

insert into headgate.operations (
    name, universe, provider_id, units, units_per_asset, page_size, priority, due_rule, path, query, ingest_function,
    alternative_of_operation_id, backoff, backoff_max, max_attempts
)
select
    o.name, 'things', n.provider_id, o.units, o.units_per_asset, o.page_size, n.priority, n.due_rule, o.path, o.query::jsonb,
    o.ingest_function, n.operation_id, '10 milliseconds', '20 milliseconds', 9
from (values
    ('bars', 'bars_bulk', 3, 0, null, '/bulk/{asset.group_key}', '{"date": "{chunk.session}"}', 'shapes.ingest_bulk'),
    ('card', 'card_page', 2, 1, 4, '/cards', '{"codes": "{chunk.codes}"}', 'shapes.ingest_cards')
) as o (need, name, units, units_per_asset, page_size, path, query, ingest_function)
join headgate.operations as n on n.name = o.need;

insert into headgate.pipelines (name) values ('shapes');
insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)
select p.pipeline_id, 'all', 1, 'fan_out', array['bars', 'card']
from headgate.pipelines as p
where p.name = 'shapes';

-- Weekdays of two months, closed at 18:00.
insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)
select 'CAL', d::date, d + interval '9 hours', d + interval '18 hours'
from generate_series('2025-01-01 00:00+00'::timestamptz, '2025-03-31 00:00+00', interval '1 day') as d
where extract(isodow from d at time zone 'UTC') < 6;

update headgate.settings set value = 'true' where name = 'test_clock';
