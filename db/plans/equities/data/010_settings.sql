-- The plan's settings. A changed value stays.
insert into equities.settings (name, value, description)
values
    (
        'most_bars_lost', 0.05,
        'A restated history that would lose more than this share of its bars is refused as cut.'
    ),
    ('same_action_days', 4, 'A split or dividend reported again within this many days, unchanged, is the same one.'),
    ('days_watched', 45, 'How many days ahead the sessions of exchanges with loaded histories become assets.'),
    ('hole_days', 30, 'Number of past days in which sessions without a bar are looked for.'),
    ('hole_tries', 5, 'A hole that the provider has not filled after this many tries is a known gap.'),
    ('most_silent_sessions', 5, 'A listing that does not trade is requested again after at most this many sessions.'),
    (
        'most_listings_gone', 0.02,
        'A symbol list that lacks more than this share of our listings, or of its symbols before, is refused.'
    ),
    ('lists_without', 2, 'A listing that this many symbol lists in a row lack has been delisted.'),
    (
        'code_rests', 7,
        'A code delisted for longer that returns with another name, and no ISIN to compare, is another company''s.'
    ),
    ('corrections_first', 1, 'A session that a bulk call read is read again once this many later ones are published.'),
    ('corrections_last', 4, 'It is read for the last time once this many later ones are published.'),
    ('corrections_from', 100, 'Exchanges with at most this many loaded listings get a call for each, and no re-read.')
on conflict (name) do update
set description = excluded.description;
