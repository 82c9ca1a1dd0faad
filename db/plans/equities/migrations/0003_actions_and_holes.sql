-- Splits and dividends, which rewrite histories, and sessions that have no bar.

create table equities.corporate_actions (
    asset_id bigint not null,
    ex_date date not null,
    kind text not null,
    ratio double precision,
    amount double precision,
    currency text,
    seen_at timestamptz not null,
    applied_at timestamptz,
    constraint corporate_actions_pkey primary key (asset_id, ex_date, kind),
    constraint kind_is_known check (kind in ('split', 'dividend')),
    constraint split_has_its_ratio check ((kind = 'split') = (ratio is not null) and ratio > 0),
    constraint dividend_has_its_amount check ((kind = 'dividend') = (amount is not null) and amount > 0),
    constraint applied_after_seen check (applied_at >= seen_at)
);

comment on table equities.corporate_actions is
    'Splits and dividends of listings whose history was loaded. Until an action is applied, bars from its ex-date on '
    'are not published.';
comment on column equities.corporate_actions.asset_id is 'The listing.';
comment on column equities.corporate_actions.ex_date is 'The first session without the right to it.';
comment on column equities.corporate_actions.kind is 'split or dividend.';
comment on column equities.corporate_actions.ratio is 'New shares for one old, of a split.';
comment on column equities.corporate_actions.amount is 'Paid per share, of a dividend.';
comment on column equities.corporate_actions.currency is 'The dividend''s currency.';
comment on column equities.corporate_actions.seen_at is 'When the provider first reported it.';
comment on column equities.corporate_actions.applied_at is 'When the history was reloaded; null: it waits for that.';

create index corporate_actions_pending_idx on equities.corporate_actions (asset_id) where applied_at is null;
comment on index equities.corporate_actions_pending_idx is 'Finds the few histories that wait to be reloaded.';

create table equities.holes (
    asset_id bigint not null,
    session date not null,
    found_at timestamptz not null,
    tries integer not null,
    next_try_at timestamptz not null,
    constraint holes_pkey primary key (asset_id, session),
    constraint tries_are_counted check (tries > 0)
);

comment on table equities.holes is
    'Sessions without a bar between two bars of a listing; the history is requested again at growing intervals.';
comment on column equities.holes.asset_id is 'The listing.';
comment on column equities.holes.session is 'The session without a bar.';
comment on column equities.holes.found_at is 'When the hole was found.';
comment on column equities.holes.tries is 'How often the provider did not have it.';
comment on column equities.holes.next_try_at is 'When it is requested again.';

create table equities.known_gaps (
    asset_id bigint not null,
    session date not null,
    tries integer not null,
    given_up_at timestamptz not null,
    constraint known_gaps_pkey primary key (asset_id, session)
);

comment on table equities.known_gaps is 'Holes that the provider never filled; no request is made for them any more.';
comment on column equities.known_gaps.asset_id is 'The listing.';
comment on column equities.known_gaps.session is 'The session without a bar.';
comment on column equities.known_gaps.tries is 'How often the provider did not have it.';
comment on column equities.known_gaps.given_up_at is 'When it was given up.';
