-- Describes what is wrong with a bar. Almost every bar is sound, so the check is split: a cheap test for all bars, and
-- a description for the few that fail it.

-- Meant to inline (hence no pinned path; it refers to nothing but its arguments), because it is evaluated for every
-- bar.
create or replace function equities._is_sound_bar(
    p_open double precision,
    p_high double precision,
    p_low double precision,
    p_close double precision,
    p_adjusted_close double precision,
    p_volume double precision
)
returns boolean
language sql
immutable
as $func$
    select p_low > 0 and p_high >= p_low and p_high < 'infinity'
        and p_open between p_low and p_high
        and p_close between p_low and p_high
        and p_adjusted_close > 0 and p_adjusted_close < 'infinity'
        and p_volume >= 1 and p_volume < 1e15;
$func$;

comment on function equities._is_sound_bar(
    double precision, double precision, double precision, double precision, double precision, double precision
) is 'True if prices and volume satisfy the constraints of equities.prices.';

create or replace function equities._bar_fault(
    p_open double precision,
    p_high double precision,
    p_low double precision,
    p_close double precision,
    p_adjusted_close double precision,
    p_volume double precision,
    p_is_in_future boolean,
    p_is_no_session boolean,
    p_is_twice boolean
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    with faults as (
        select c.nth, c.name, case
            when c.value is null then 'missing'
            when c.value = 'NaN' then 'not a number'
            when abs(c.value) = 'infinity' then 'not finite'
            when c.name = 'volume' and c.value < 0 then 'negative'
            when c.name = 'volume' and c.value < 1 then 'zero'
            when c.name = 'volume' and c.value >= 1e15 then 'too large'
            when c.name <> 'volume' and c.value <= 0 then 'not positive'
            when c.name = 'high' and c.value < p_low and p_low < 'infinity' then 'below low'
            when c.name in ('open', 'close') and p_low <= p_high and p_high < 'infinity'
                and c.value not between p_low and p_high then 'outside low and high'
        end as fault
        from unnest(
            array['open', 'high', 'low', 'close', 'adjusted_close', 'volume'],
            array[p_open, p_high, p_low, p_close, p_adjusted_close, p_volume]
        ) with ordinality as c (name, value, nth)
    ),
    named as (
        select min(f.nth) as nth, string_agg(f.name, ', ' order by f.nth) || ' ' || f.fault as fault
        from faults as f
        where f.fault is not null
        group by f.fault
    )
    select concat_ws(
        '; ',
        case when p_is_twice then 'date more than once' end,
        case when p_is_in_future then 'date in the future' end,
        case when p_is_no_session then 'date no session' end,
        (select string_agg(n.fault, '; ' order by n.nth) from named as n)
    );
$func$;

comment on function equities._bar_fault(
    double precision, double precision, double precision, double precision, double precision, double precision,
    boolean, boolean, boolean
) is 'All faults of a bar, in words, e.g. `open, high, low missing; volume zero`.';
