-- Which code meant which listing when. A listing is an asset: it keeps its id through renames and its delisting.

comment on schema equities is 'Listed equities: their daily bars and their fundamentals.';

create table equities.listings (
    asset_id bigint not null,
    valid daterange not null,
    code text not null,
    group_key text not null,
    name text,
    isin text,
    -- Ranges of a single number express equality, so that no extension is needed.
    constraint a_listing_has_one_code_at_a_time
        exclude using gist (int8range(asset_id, asset_id, '[]') with &&, valid with &&),
    constraint a_code_means_one_listing_at_a_time
        exclude using gist (
            int8range(hashtextextended(code, 0) >> 1, hashtextextended(code, 0) >> 1, '[]') with &&, valid with &&
        ),
    constraint valid_is_not_empty check (not isempty(valid))
);

comment on table equities.listings is
    'Which code meant which listing, and when; rows are never deleted, so past days can be queried.';
comment on column equities.listings.asset_id is 'The listing, as in headgate.v_assets.';
comment on column equities.listings.valid is
    'The days on which it held; unbounded at the start if that is unknown, and at the end while it holds.';
comment on column equities.listings.code is 'Its code then, e.g. AAPL.US.';
comment on column equities.listings.group_key is 'The provider''s exchange code.';
comment on column equities.listings.name is 'Its name then.';
comment on column equities.listings.isin is 'Its ISIN then, as published.';

-- For comparing lists; the indexes of the exclusion constraints do not serve that.
create index listings_asset_idx on equities.listings (asset_id);
comment on index equities.listings_asset_idx is 'Finds the dates of one listing.';

grant select, insert on equities.listings to headgate_owner;

create table equities.symbol_lists (
    group_key text not null,
    taken_at timestamptz not null,
    symbols integer not null,
    known integer not null,
    vanished integer not null,
    renamed integer not null,
    delisted integer not null,
    relisted integer not null,
    reused integer not null,
    is_refused boolean not null,
    constraint symbol_lists_pkey primary key (group_key, taken_at)
);

comment on table equities.symbol_lists is
    'The provider''s lists of an exchange''s symbols, and what comparing each with our listings found.';
comment on column equities.symbol_lists.group_key is 'The exchange code.';
comment on column equities.symbol_lists.taken_at is 'When it was received.';
comment on column equities.symbol_lists.symbols is 'Number of its symbols.';
comment on column equities.symbol_lists.known is 'Number of our active listings there before.';
comment on column equities.symbol_lists.vanished is 'How many of those it lacks.';
comment on column equities.symbol_lists.renamed is 'How many of those have a new code.';
comment on column equities.symbol_lists.delisted is 'How many of those were missing before, and count as delisted now.';
comment on column equities.symbol_lists.relisted is 'Delisted listings that it has again.';
comment on column equities.symbol_lists.reused is 'Codes that mean another company now.';
comment on column equities.symbol_lists.is_refused is
    'True: it had shrunk too much to be believed, and nothing was done.';

create table equities.missing_symbols (
    asset_id bigint not null,
    since date not null,
    lists integer not null,
    constraint missing_symbols_pkey primary key (asset_id),
    constraint lists_are_counted check (lists > 0)
);

comment on table equities.missing_symbols is
    'Active listings that the last lists lacked; a single list is not enough to believe it.';
comment on column equities.missing_symbols.asset_id is 'The listing.';
comment on column equities.missing_symbols.since is 'The day of the first list without it.';
comment on column equities.missing_symbols.lists is 'How many lists in a row have lacked it.';
