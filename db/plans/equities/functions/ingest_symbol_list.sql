-- Compares EODHD's list of an exchange's symbols with our active listings there.
--
-- A list that has shrunk too much is refused, with an alert, and requested again a day later: delistings come one by
-- one. A code that is gone while exactly one new symbol has the same ISIN, or else the same name, is a rename: the
-- listing keeps its asset and all its data. A listing that several lists in a row lack is delisted: not requested any
-- more, but kept. A code has been reused if its ISIN and name both mean another company, or, where ISINs are missing,
-- if it was delisted for some time and comes back with another name: the old listing ends as CODE_old, as the provider
-- calls it, and the new one becomes a new asset (or one of ours, renamed). Symbols that are not ours are ignored: the
-- provider does not choose which listings we follow.

create or replace function equities.ingest_symbol_list(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
    v_list record;
    v_taken equities.symbol_lists;
begin
    for v_list in
        select a.asset_id, a.group_key, u.payload
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as a using (asset_id)
        order by a.group_key
    loop
        v_taken := equities._take_list(v_list.group_key, v_list.payload, v_now);
        if v_taken.is_refused then
            perform headgate.ask_again('symbol_list', array[v_list.asset_id], array[v_now + interval '1 day']);
        end if;
        return next row(
            v_list.asset_id, case when v_taken.is_refused then 'skipped' else 'success' end,
            v_taken.renamed + v_taken.delisted + v_taken.relisted + v_taken.reused, v_now,
            case when v_taken.is_refused then 'the list has shrunk too much to be plausible' end
        )::headgate.ingest_result;
    end loop;
end;
$func$;

comment on function equities.ingest_symbol_list(jsonb, bigint[], text[]) is
    'Ingest function of symbol_list: applies renames, delistings and reused codes of an exchange.';

create or replace function equities._take_list(
    p_group_key text,
    p_payload text,
    p_now timestamptz
)
returns equities.symbol_lists
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_today constant date := (p_now at time zone 'UTC')::date;
    v_symbols constant integer := jsonb_array_length(p_payload::jsonb);
    v_changes jsonb;
    v_most constant double precision := equities._setting('most_listings_gone');
    v_subject constant text := 'symbol list ' || p_group_key;
    v_row equities.symbol_lists;
    v_last integer;
begin
    perform equities.note_listings();
    v_changes := equities._list_changes(p_group_key, p_payload, v_today);
    select l.symbols into v_last
    from equities.symbol_lists as l
    where l.group_key = p_group_key and not l.is_refused
    order by l.taken_at desc
    limit 1;
    v_row := row(
        p_group_key, p_now, v_symbols, (v_changes ->> 'known')::integer, jsonb_array_length(v_changes -> 'gone'),
        0, 0, 0, 0, false
    );
    v_row.is_refused := (v_changes ->> 'lost')::integer > v_most * v_row.known
        or coalesce(v_symbols < (1 - v_most) * v_last, false);

    if v_row.is_refused then
        perform headgate.raise_alert('error', v_subject, format(
            'the list of %s has %s symbols (before: %s) and lacks %s of our %s listings: refused, nothing was changed; '
            'it is asked for again tomorrow; if it is right, raise most_listings_gone in equities.settings until it '
            'has been taken',
            p_group_key, v_symbols, coalesce(v_last::text, 'unknown'), v_row.vanished, v_row.known
        ));
    else
        perform headgate.resolve_alert(v_subject);
        v_row.reused := equities._reuse_codes(v_changes -> 'reused', p_group_key, v_today);
        v_row.renamed := equities._rename_listings(v_changes -> 'renamed', v_today);
        v_row.relisted := equities._relist(v_changes -> 'back', v_today);
        v_row.delisted := equities._delist(
            array(
                select (g.asset_id)::bigint from jsonb_array_elements_text(v_changes -> 'gone') as g (asset_id)
                except
                select (r.change ->> 'asset_id')::bigint from jsonb_array_elements(v_changes -> 'renamed') as r (change)
            ), p_group_key, v_today
        );
        perform equities._note_names(p_group_key, p_payload);
    end if;
    insert into equities.symbol_lists select v_row.* on conflict do nothing;
    return v_row;
end;
$func$;

comment on function equities._take_list(text, text, timestamptz) is
    'Compare one list with our listings and apply what has changed, unless the list cannot be believed.';

-- `lost` counts listings that the last list had: a rename loses none, and a listing that was already missing is not
-- counted again. Returns {known, lost, gone: [asset_id], renamed: [{asset_id, code, name, isin}], back: [asset_id],
-- reused: [{asset_id, code, is_renamed, name, ...}]}.
create or replace function equities._list_changes(
    p_group_key text,
    p_payload text,
    p_today date
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with listed as materialized (
        select distinct on (r."Code")
            r."Code" || '.' || p_group_key as code, r."Name" as name, nullif(r."Isin", '') as isin, r."Type" as type,
            r."Currency" as currency, r."Exchange" as exchange
        from jsonb_to_recordset(p_payload::jsonb) as r (
            "Code" text, "Name" text, "Isin" text, "Type" text, "Currency" text, "Exchange" text
        )
        where r."Code" <> ''
        order by r."Code"
    ),
    ours as materialized (
        -- As the provider last reported them: a delisted listing keeps its name and ISIN.
        select distinct on (a.asset_id)
            a.asset_id, a.code, a.is_active, upper(l.valid) as delisted_on,
            coalesce(l.isin, a.attributes ->> 'isin') as isin, coalesce(l.name, a.attributes ->> 'name') as name
        from headgate.v_assets as a
        join equities.listings as l on l.asset_id = a.asset_id
        where a.universe = 'equities'
            and a.group_key = p_group_key
        order by a.asset_id, l.valid desc
    ),
    gone as materialized (
        select o.*, equities._plain_name(o.name) as plain_name
        from ours as o
        where o.is_active
            and not exists (select from listed as l where l.code = o.code)
    ),
    other as materialized (
        -- The same code but another company: the names differ, and the ISINs differ or, where they are missing, the
        -- code was out of use. Most names are the same to the letter, which is quickly seen.
        select o.asset_id, o.is_active, l.*
        from ours as o
        join listed as l using (code)
        where o.name <> l.name
            and equities._plain_name(o.name) <> equities._plain_name(l.name)
            and coalesce(o.isin <> l.isin, o.delisted_on < p_today - equities._setting('code_rests')::integer)
    ),
    fresh as materialized (
        select l.*, equities._plain_name(l.name) as plain_name
        from listed as l
        where not exists (select from ours as o where o.code = l.code)
        union all
        select l.*, equities._plain_name(l.name)
        from listed as l
        join other as x using (code)
    ),
    pairs as (
        select g.asset_id, f.code, f.name, f.isin, 1 as nth
        from gone as g
        join fresh as f on f.isin = g.isin
        union all
        select g.asset_id, f.code, f.name, f.isin, 2
        from gone as g
        join fresh as f on f.plain_name = g.plain_name
        where f.plain_name <> ''
    ),
    best as (
        select p.*
        from pairs as p
        where not exists (
                select from pairs as x where x.nth <= p.nth and x.asset_id = p.asset_id and x.code <> p.code
            )
            and not exists (
                select from pairs as x where x.nth <= p.nth and x.code = p.code and x.asset_id <> p.asset_id
            )
    )
    select jsonb_build_object(
        'known', (select count(*) from ours as o where o.is_active),
        'lost', (
            select count(*)
            from gone as g
            where not exists (select from best as b where b.asset_id = g.asset_id)
                and not exists (select from equities.missing_symbols as m where m.asset_id = g.asset_id)
        ),
        'gone', (select coalesce(jsonb_agg(g.asset_id order by g.asset_id), '[]') from gone as g),
        'renamed', (
            select coalesce(jsonb_agg(distinct jsonb_build_object(
                'asset_id', b.asset_id, 'code', b.code, 'name', b.name, 'isin', b.isin
            )), '[]')
            from best as b
        ),
        'back', (
            select coalesce(jsonb_agg(o.asset_id order by o.asset_id), '[]')
            from ours as o
            join listed as l using (code)
            where (not o.is_active and o.delisted_on is not null
                    or exists (select from equities.missing_symbols as m where m.asset_id = o.asset_id))
                and o.asset_id <> all (array(select x.asset_id from other as x))
        ),
        'reused', (
            select coalesce(jsonb_agg(to_jsonb(x) || jsonb_build_object(
                'is_renamed', x.code in (select b.code from best as b)
            ) order by x.code), '[]')
            from other as x
        )
    );
$func$;

comment on function equities._list_changes(text, text, date) is 'How a list differs from our listings.';

-- Companies change their names before or after their symbols: the next list is compared with the name reported last.
create or replace function equities._note_names(
    p_group_key text,
    p_payload text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update equities.listings as l
    set name = coalesce(r."Name", l.name), isin = coalesce(nullif(r."Isin", ''), l.isin)
    from jsonb_to_recordset(p_payload::jsonb) as r ("Code" text, "Name" text, "Isin" text)
    where l.code = r."Code" || '.' || p_group_key
        and upper_inf(l.valid)
        and (l.name, l.isin) is distinct from (coalesce(r."Name", l.name), coalesce(nullif(r."Isin", ''), l.isin));
$func$;

comment on function equities._note_names(text, text) is
    'Store the names and ISINs of listings as the last list has them.';

-- Names are compared without punctuation and case.
create or replace function equities._plain_name(p_name text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select regexp_replace(lower(p_name), '[^a-z0-9]+', '', 'g');
$func$;

comment on function equities._plain_name(text) is 'A name without punctuation and case.';
