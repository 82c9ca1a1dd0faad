-- Both times of reported figures: the period they are for, and when they were known. What one answer says about a
-- period holds until another answer differs; equal content is recognized by its hash.

create or replace function equities.reported_periods(p_ticker text)
returns table (
    statement text, frequency text, period_end date, known_from timestamptz, known_to timestamptz, figures jsonb
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with told as (
        select
            s.key as statement, q.key as frequency, d.key::date as period_end, f.fetched_at, d.value as figures,
            sha256(convert_to(d.value::text, 'UTF8')) as content_hash
        from equities.fundamentals as f
        cross join lateral jsonb_each(f.payload -> 'Financials') as s
        cross join lateral jsonb_each(s.value) as q
        cross join lateral jsonb_each(q.value) as d
        where f.asset_id = headgate.find_asset(p_universe => 'equities', p_code => p_ticker)
            and jsonb_typeof(f.payload -> 'Financials') = 'object'
            and jsonb_typeof(s.value) = 'object'
            and jsonb_typeof(q.value) = 'object'
            and d.key ~ '^\d{4}-(0[1-9]|1[0-2])-\d{2}$'
    ),
    changes as (
        select
            t.*,
            lag(t.content_hash) over (partition by t.statement, t.frequency, t.period_end order by t.fetched_at)
                is distinct from t.content_hash as is_new
        from told as t
    )
    select
        c.statement, c.frequency, c.period_end, c.fetched_at,
        lead(c.fetched_at) over (partition by c.statement, c.frequency, c.period_end order by c.fetched_at),
        c.figures
    from changes as c
    where c.is_new
    order by c.statement, c.frequency, c.period_end, c.fetched_at;
$func$;

comment on function equities.reported_periods(text) is
    'What a company reported for each period, and from when until when that was known; restated figures have rows of '
    'their own.';
