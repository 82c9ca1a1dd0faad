-- Assets, and the calendars by which their data is published.

create table headgate.assets (
    asset_id bigint generated always as identity,
    universe text not null,
    code text not null,
    group_key text not null,
    calendar text,
    attributes jsonb not null default '{}',
    weight double precision not null default 1,
    is_active boolean not null default true,
    constraint assets_pkey primary key (asset_id),
    constraint assets_code_is_unique unique (universe, code),
    constraint code_is_not_empty check (code <> ''),
    constraint group_key_is_not_empty check (group_key <> ''),
    constraint attributes_are_an_object check (jsonb_typeof(attributes) = 'object'),
    constraint weight_is_positive check (weight > 0 and weight < 'infinity')
);

comment on table headgate.assets is 'A thing worked on: a listing, an account, a service, a source.';
comment on column headgate.assets.asset_id is 'Surrogate key; survives a change of code.';
comment on column headgate.assets.universe is 'The set of assets it belongs to; an operation works on one universe.';
comment on column headgate.assets.code is 'The code users type, e.g. AAPL.US.';
comment on column headgate.assets.group_key is 'How assets are partitioned for calls, e.g. the exchange code US.';
comment on column headgate.assets.calendar is 'Its session calendar in trading_sessions; null: no sessions.';
comment on column headgate.assets.attributes is 'Further attributes, available to templates.';
comment on column headgate.assets.weight is 'Its weight in the ranking when the budget is short.';
comment on column headgate.assets.is_active is 'False: nothing is done for it; its history stays.';

create index assets_group_idx on headgate.assets (universe, group_key);
comment on index headgate.assets_group_idx is
    'Finds a group''s assets for freshness and for checking that a group exists.';

create index assets_search_idx on headgate.assets (lower(code) collate "C");
comment on index headgate.assets_search_idx is 'Finds assets by the beginning of their code.';

create table headgate.trading_sessions (
    calendar text not null,
    session date not null,
    opens_at timestamptz not null,
    closes_at timestamptz not null,
    is_early_close boolean not null default false,
    constraint trading_sessions_pkey primary key (calendar, session),
    constraint session_closes_after_it_opens check (closes_at > opens_at)
);

comment on table headgate.trading_sessions is 'A session of a calendar.';
comment on column headgate.trading_sessions.calendar is 'The calendar''s code, e.g. XNYS.';
comment on column headgate.trading_sessions.session is 'The session''s date in its own time zone.';
comment on column headgate.trading_sessions.opens_at is 'When it opens.';
comment on column headgate.trading_sessions.closes_at is 'When it closes.';
comment on column headgate.trading_sessions.is_early_close is 'True on half days.';
