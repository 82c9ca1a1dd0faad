-- An interval for people: 20 hours, 1 minute 15 seconds. Every view and message puts intervals into words by it; the
-- text of PostgreSQL depends on the session's IntervalStyle.

create or replace function headgate.in_words(p_interval interval)
returns text
language sql
immutable
strict
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        string_agg(format('%s %s%s', p.count, p.unit, case when p.count = 1 then '' else 's' end), ' ' order by p.nth),
        '0 seconds'
    )
    from (values
        (1, extract(year from p_interval), 'year'),
        (2, extract(month from p_interval), 'month'),
        (3, extract(day from p_interval), 'day'),
        (4, extract(hour from p_interval), 'hour'),
        (5, extract(minute from p_interval), 'minute'),
        (6, trim_scale(extract(second from p_interval)), 'second')
    ) as p (nth, count, unit)
    where p.count <> 0;
$func$;

comment on function headgate.in_words(interval) is 'An interval in words: 20 hours, 1 minute 15 seconds.';
