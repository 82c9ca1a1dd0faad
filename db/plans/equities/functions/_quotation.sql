-- Some exchanges quote in a hundredth of a currency: pence in London, agorot in Tel Aviv, cents in Johannesburg.
create or replace function equities._quotation(
    p_quoted text,
    out currency text,
    out factor double precision
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        case p_quoted when 'GBX' then 'GBP' when 'ILA' then 'ILS' when 'ZAC' then 'ZAR' else p_quoted end,
        case when p_quoted in ('GBX', 'ILA', 'ZAC') then 0.01 else 1.0 end;
$func$;

comment on function equities._quotation(text) is
    'The currency of a quotation, and the fraction of it that the quotation counts in.';
