-- People type AAPL.US, or just AAPL; a bare symbol that fits several codes is an error that lists them.

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
    v_asset_ids bigint[];
    v_codes text[];
begin
    select array_agg(a.asset_id), array_agg(a.code)
    into v_asset_ids, v_codes
    from headgate.assets as a
    where a.universe = p_universe
        and a.code = p_code;

    if v_asset_ids is null then
        select array_agg(a.asset_id), array_agg(a.code)
        into v_asset_ids, v_codes
        from headgate.assets as a
        where a.universe = p_universe
            and split_part(a.code, '.', 1) = p_code;
    end if;

    if v_asset_ids is null then
        perform headgate._raise(
            'HG009',
            format('unknown asset in universe %s: %s', p_universe, coalesce(quote_literal(p_code), 'null')),
            'codes look like AAPL.US; headgate.v_assets lists them'
        );
    elsif cardinality(v_asset_ids) > 1 then
        perform headgate._raise(
            'HG010',
            format('%s is ambiguous in universe %s', quote_literal(p_code), p_universe),
            'say which: ' || headgate._names(v_codes)
        );
    end if;

    return v_asset_ids[1];
end;
$func$;

comment on function headgate.find_asset(text, text) is
    'The asset a code, or an unambiguous bare symbol, means in a universe.';
