-- What must hold of a session before it is shown. Without listings to judge by a check has no value, passes, and is
-- named as unjudged: of bars any number will do, of closes 20, because few are no sample.
insert into equities.checks as c (name, description, severity, comparison, threshold, query)
values
    ('bars_there', 'Of the listings that traded in half of the last 20 sessions or more, the share with a bar now.',
        'error', 'at_least', 0.95, 'select avg(b.is_there::integer) from equities.expected_bars($1, $2) as b'),
    ('bars_believed', 'The share of the session''s bars that are believed.', 'error', 'at_least', 0.95,
        'select avg((not b.is_quarantined)::integer) from equities.session_bars($1, $2) as b
        where b.close is not null or b.is_quarantined having count(*) >= 20'),
    ('closes_unchanged', 'The share of closes that are those of the session before: a feed that stands still.',
        'error', 'at_most', 0.5,
        'select avg((b.close = b.previous_close)::integer) from equities.session_bars($1, $2) as b
        where b.close is not null and b.previous_close is not null having count(*) >= 20'),
    ('closes_doubled', 'The share of closes more than twice or less than half of those before.',
        'warning', 'at_most', 0.02,
        'select avg((b.close not between b.previous_close / 2 and b.previous_close * 2)::integer)
        from equities.session_bars($1, $2) as b
        where b.close is not null and b.previous_close is not null having count(*) >= 20')
on conflict (name) do update
set description = excluded.description,
    comparison = excluded.comparison,
    query = excluded.query;
