-- What bars were before they changed, and since when they are what they are.

alter table equities.prices add column known_from timestamptz;

comment on column equities.prices.known_from is
    'Since when the bar is known as it is; null: it came with the listing''s first history, so since its own date.';

create table equities.bar_revisions (
    asset_id bigint not null,
    date date not null,
    known_to timestamptz not null,
    known_from timestamptz,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    adjusted_close double precision not null,
    volume bigint not null,
    run_id text,
    constraint bar_revisions_pkey primary key (asset_id, date, known_to),
    constraint known_to_is_after_known_from check (known_to >= known_from)
);

comment on table equities.bar_revisions is
    'Bars as they were before the provider corrected them. That splits and dividends moved a history''s adjusted_close stands in history_reloads.';
comment on column equities.bar_revisions.asset_id is 'The listing.';
comment on column equities.bar_revisions.date is 'The session.';
comment on column equities.bar_revisions.known_to is 'When another bar took its place.';
comment on column equities.bar_revisions.known_from is 'Since when it was known; null: since its own date.';
comment on column equities.bar_revisions.open is 'As it was.';
comment on column equities.bar_revisions.high is 'As it was.';
comment on column equities.bar_revisions.low is 'As it was.';
comment on column equities.bar_revisions.close is 'As it was.';
comment on column equities.bar_revisions.adjusted_close is 'As it was.';
comment on column equities.bar_revisions.volume is 'As it was.';
comment on column equities.bar_revisions.run_id is 'The run that brought the other bar.';

create table equities.history_reloads (
    asset_id bigint not null,
    reloaded_at timestamptz not null,
    bars_changed integer not null,
    bars_lost integer not null,
    run_id text,
    constraint history_reloads_pkey primary key (asset_id, reloaded_at),
    constraint reload_counts_are_not_negative check (least(bars_changed, bars_lost) >= 0)
);

comment on table equities.history_reloads is 'Histories whose past the provider restated (a split, a dividend), loaded anew as a whole.';
comment on column equities.history_reloads.asset_id is 'The listing.';
comment on column equities.history_reloads.reloaded_at is 'When.';
comment on column equities.history_reloads.bars_changed is 'Bars that came otherwise than stored, or newly.';
comment on column equities.history_reloads.bars_lost is 'Bars that did not come again, and went to bar_revisions.';
comment on column equities.history_reloads.run_id is 'The run that did it.';

create table equities.settings (
    name text not null,
    value double precision not null,
    description text not null,
    constraint settings_pkey primary key (name)
);

comment on table equities.settings is 'Parameters of this plan''s functions; an operator''s update stays when the plan is applied again.';
comment on column equities.settings.name is 'Its name.';
comment on column equities.settings.value is 'Its value.';
comment on column equities.settings.description is 'What it does.';

grant select, insert, update on equities.settings to headgate_owner;
