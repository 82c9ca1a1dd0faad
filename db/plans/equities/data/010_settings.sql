-- The plan's settings. A value that somebody has changed stays.
insert into equities.settings (name, value, description)
values
    (
        'most_bars_lost', 0.05,
        'A restated history that would lose more than this share of its bars is refused: it has been cut.'
    ),
    ('same_action_days', 4, 'A split or dividend told again within so many days, with the same figure, is the same.'),
    ('days_watched', 45, 'So many days ahead the sessions of exchanges with loaded histories become assets.'),
    ('hole_days', 30, 'Sessions without a bar are looked for in so many days.'),
    ('hole_tries', 5, 'A hole that the provider has not filled after so many tries is a known gap.'),
    ('most_silent_sessions', 5, 'A listing that does not trade is asked for after so many sessions at the latest.'),
    (
        'most_listings_gone', 0.02,
        'A symbol list that lacks more than this share of our listings, or of its symbols before, is refused.'
    ),
    ('lists_without', 2, 'A listing that so many symbol lists in a row lack has been delisted.'),
    (
        'code_rests', 7,
        'A code that was delisted for more days and has another name now is another company''s, where no ISIN tells.'
    ),
    ('corrections_first', 1, 'A session that one call read for an exchange is read again when so many later are out.'),
    ('corrections_last', 4, 'It is read for the last time when so many later ones are out.'),
    ('corrections_from', 100, 'Exchanges with no more loaded listings are asked for one by one, and not read again.')
on conflict (name) do update
set description = excluded.description;
