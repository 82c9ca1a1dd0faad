-- Stores answers, whatever is odd in them. First all answers together take the fast path. If that raises, the odd
-- answers are found and read carefully, and the others take the fast path again, so one bad answer does not slow down
-- its chunk.
--
-- Careful reading: an answer that is not an array of objects fails its own listing, and a cell that is not a number
-- spoils only its own bar. Of several bars of one date, the one that is sound counts; two sound bars that differ do
-- not.

create or replace function equities._take_bars(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[],
    p_is_history boolean
)
returns setof headgate.ingest_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_odd boolean[];
begin
    begin
        return query
        select m.* from equities._merge_bars(p_context, p_asset_ids, p_payloads, false, p_is_history) as m;
        return;
    exception
        -- Not JSON, a cell that is not a number, or a date twice; or another chunk inserted the same bar a moment ago.
        when data_exception or cardinality_violation or unique_violation or statement_too_complex then
            v_odd := array(
                select equities._is_odd(u.payload)
                from unnest(p_payloads) with ordinality as u (payload, nth)
                order by u.nth
            );
    end;

    return query
    select m.*
    from equities._merge_bars(
        p_context,
        array(select u.asset_id from unnest(p_asset_ids, v_odd) as u (asset_id, is_odd) where not u.is_odd),
        array(select u.payload from unnest(p_payloads, v_odd) as u (payload, is_odd) where not u.is_odd),
        true,
        p_is_history
    ) as m;
    return query
    select m.*
    from equities._merge_odd(
        p_context,
        array(select u.asset_id from unnest(p_asset_ids, v_odd) as u (asset_id, is_odd) where u.is_odd),
        array(select u.payload from unnest(p_payloads, v_odd) as u (payload, is_odd) where u.is_odd),
        p_is_history
    ) as m;
end;
$func$;

comment on function equities._take_bars(jsonb, bigint[], text[], boolean) is
    'Same as _merge_bars, but answers that cannot be read are cleaned one by one, or fail their own listing.';

-- Reads an answer as _judged_bars does, only to check that reading works and that no date occurs twice.
create or replace function equities._is_odd(p_payload text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
as $func$
begin
    return (
        select count(distinct r.date) < count(r.date)
        from json_to_recordset(p_payload::json) as r (
            date date, open double precision, high double precision, low double precision, close double precision,
            adjusted_close double precision, volume double precision
        )
    );
exception
    when data_exception or statement_too_complex then
        return true;
end;
$func$;

comment on function equities._is_odd(text) is 'True if the answer cannot be read as it is, or holds a date twice.';

create or replace function equities._merge_odd(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[],
    p_is_history boolean
)
returns setof headgate.ingest_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids bigint[] := '{}';
    v_payloads text[] := '{}';
    v_payload text;
    v_fault text;
begin
    for i in 1..cardinality(p_asset_ids) loop
        select a.payload, a.fault into v_payload, v_fault from equities._clean_answer(p_payloads[i]) as a;
        if v_fault is null then
            v_asset_ids := v_asset_ids || p_asset_ids[i];
            v_payloads := v_payloads || v_payload;
        else
            return next row(p_asset_ids[i], 'failed', 0, null, v_fault)::headgate.ingest_result;
        end if;
    end loop;

    return query
    select m.* from equities._merge_bars(p_context, v_asset_ids, v_payloads, true, p_is_history) as m;
end;
$func$;

comment on function equities._merge_odd(jsonb, bigint[], text[], boolean) is
    'Same as _merge_bars, for answers that it cannot read: each is cleaned first, or fails its own listing.';

-- The same bars, one per date, in a readable form; or why that is impossible.
create or replace function equities._clean_answer(
    p_payload text,
    out payload text,
    out fault text
)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    select coalesce(jsonb_agg(d.bar || jsonb_build_object('_is_twice', d.is_twice)), '[]') into payload
    from (
        select
            (array_agg(c.bar order by c.is_sound desc, c.nth desc))[1] as bar,
            count(distinct c.bar) > 1 and count(distinct c.bar) filter (where c.is_sound) <> 1 as is_twice
        from (
            select
                e.nth,
                b.bar,
                coalesce(equities._is_sound_bar(
                    (b.bar ->> 'open')::double precision,
                    (b.bar ->> 'high')::double precision,
                    (b.bar ->> 'low')::double precision,
                    (b.bar ->> 'close')::double precision,
                    (b.bar ->> 'adjusted_close')::double precision,
                    (b.bar ->> 'volume')::double precision
                ), false) as is_sound
            from jsonb_array_elements(p_payload::jsonb) with ordinality as e (bar, nth)
            cross join lateral equities._clean_bar(e.bar) as b (bar)
        ) as c
        group by c.bar -> 'date', c.bar -> 'warning'
    ) as d;

    if p_payload is null then
        payload := null;
    end if;
exception
    when data_exception or statement_too_complex then
        fault := 'the answer is not an array of bars: ' || left(sqlerrm, 200);
end;
$func$;

comment on function equities._clean_answer(text) is
    'An answer with one bar per date, non-numeric cells as NaN, unreadable dates as null; or the fault of the answer.';

create or replace function equities._clean_bar(p_bar jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_clean jsonb := jsonb_build_object('warning', p_bar -> 'warning');
    v_name text;
begin
    if jsonb_typeof(p_bar) <> 'object' then
        raise exception using errcode = 'invalid_parameter_value', message = 'an element is not an object';
    end if;
    begin
        v_clean := jsonb_set(v_clean, '{date}', to_jsonb((p_bar ->> 'date')::date));
    exception
        when data_exception then null;
    end;
    foreach v_name in array array['open', 'high', 'low', 'close', 'adjusted_close', 'volume'] loop
        begin
            v_clean := jsonb_set(
                v_clean, array[v_name], coalesce(to_jsonb((p_bar ->> v_name)::double precision), 'null')
            );
        exception
            when data_exception then v_clean := jsonb_set(v_clean, array[v_name], '"NaN"');
        end;
    end loop;

    return v_clean;
end;
$func$;

comment on function equities._clean_bar(jsonb) is 'A bar whose cells can all be read.';
