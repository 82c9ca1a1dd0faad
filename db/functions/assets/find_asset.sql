-- Accepts a full code (AAPL.US) or a bare symbol (AAPL); an ambiguous symbol raises an error that lists the candidates.
-- Without a universe, the only one that contains the code is used.

create or replace function headgate.find_asset(
    p_universe text,
    p_code text
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_universe constant text := coalesce(p_universe, headgate._universe_of(p_code));
    v_asset_ids bigint[];
    v_codes text[];
begin
    select array_agg(a.asset_id), array_agg(a.code)
    into v_asset_ids, v_codes
    from headgate.assets as a
    where a.universe = v_universe
        and a.code = p_code;

    if v_asset_ids is null then
        select array_agg(a.asset_id), array_agg(a.code)
        into v_asset_ids, v_codes
        from headgate.assets as a
        where a.universe = v_universe
            and split_part(a.code, '.', 1) = p_code;
    end if;

    if v_asset_ids is null then
        perform headgate._raise(
            'HG009',
            format('unknown asset in universe %s: %s', v_universe, coalesce(quote_literal(p_code), 'null')),
            headgate._meant_code(v_universe, p_code) || headgate._example_code(v_universe)
            || 'headgate.v_assets lists them'
        );
    elsif cardinality(v_asset_ids) > 1 then
        perform headgate._raise(
            'HG010',
            format('%s is ambiguous in universe %s', quote_literal(p_code), v_universe),
            'say which: ' || headgate._names(v_codes)
        );
    end if;

    return v_asset_ids[1];
end;
$func$;

comment on function headgate.find_asset(text, text) is
    'The asset that a code, or an unambiguous bare symbol, means in a universe (null: in the only one that has it).';

create or replace function headgate._universe_of(p_code text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_universes constant text[] := array(
        select distinct a.universe
        from headgate.assets as a
        where p_code in (a.code, split_part(a.code, '.', 1))
    );
begin
    if cardinality(v_universes) = 0 then
        perform headgate._raise(
            'HG009', format('unknown asset: %s', coalesce(quote_literal(p_code), 'null')),
            headgate._meant_code(null, p_code) || 'headgate.v_assets lists them'
        );
    elsif cardinality(v_universes) > 1 then
        perform headgate._raise(
            'HG010',
            format('%s is in several universes', quote_literal(p_code)),
            'say which: ' || headgate._names(v_universes)
        );
    end if;

    return v_universes[1];
end;
$func$;

-- Suggestions: similar codes or, for a bare symbol, symbols.
create or replace function headgate._meant_code(
    p_universe text,
    p_code text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._meant(p_code, headgate._similar_codes(p_universe, p_code));
$func$;

-- One of the most important, from the middle of the alphabet: the first ones are often odd.
create or replace function headgate._example_code(p_universe text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(format('codes look like %s; ', percentile_disc(0.5) within group (order by a.code)), '')
    from headgate.assets as a
    where a.universe = p_universe
        and a.weight = (select max(w.weight) from headgate.assets as w where w.universe = p_universe);
$func$;
