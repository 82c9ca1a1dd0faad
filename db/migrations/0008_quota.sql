-- Quota: a provider's windows, and the shares that pipelines have of them.

create table headgate.quota_windows (
    provider_id bigint not null references headgate.providers,
    opened_at timestamptz not null,
    closes_at timestamptz not null,
    calendar text not null default '',
    usable integer not null,
    reserved integer not null default 0,
    spent integer not null default 0,
    used_elsewhere integer not null default 0,
    blocked_until timestamptz,
    constraint quota_windows_pkey primary key (provider_id, opened_at),
    constraint window_closes_after_it_opens check (closes_at > opened_at),
    constraint units_are_not_negative check (least(usable, reserved, spent, used_elsewhere) >= 0),
    constraint never_above_quota check (reserved + spent <= usable)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.quota_windows is 'The units of a provider in one window: usable, promised, spent.';
comment on column headgate.quota_windows.provider_id is 'The provider.';
comment on column headgate.quota_windows.opened_at is 'The window''s first moment, in the provider''s own calendar.';
comment on column headgate.quota_windows.closes_at is 'The provider''s reset: the next window''s first moment.';
comment on column headgate.quota_windows.calendar is 'Period and zone of the provider from which its end was computed.';
comment on column headgate.quota_windows.usable is
    'The provider''s limit less the buffer, fixed when the window opens.';
comment on column headgate.quota_windows.reserved is 'Units promised to planned jobs whose calls have not started.';
comment on column headgate.quota_windows.spent is 'Units of calls that started; a call that may have been made counts.';
comment on column headgate.quota_windows.used_elsewhere is 'Units the provider reports beyond our own ledger.';
comment on column headgate.quota_windows.blocked_until is
    'No call is made to the provider before: it reported its quota as used up.';

create table headgate.quota_shares (
    provider_id bigint not null references headgate.providers,
    pipeline_id bigint not null references headgate.pipelines,
    floor_share double precision not null default 0,
    ceiling_share double precision not null default 1,
    backfill_operations text[] not null default '{}',
    reserve integer not null default 0,
    constraint quota_shares_pkey primary key (provider_id, pipeline_id),
    constraint floor_share_is_a_share check (floor_share between 0 and 1),
    constraint ceiling_share_is_a_share check (ceiling_share between 0 and 1),
    constraint floor_is_below_its_ceiling check (floor_share <= ceiling_share),
    constraint reserve_is_not_negative check (reserve >= 0)
);

comment on table headgate.quota_shares is
    'A pipeline''s share of each of a provider''s windows; without a row it may use all that others do not keep.';
comment on column headgate.quota_shares.provider_id is 'The provider.';
comment on column headgate.quota_shares.pipeline_id is 'The pipeline.';
comment on column headgate.quota_shares.floor_share is
    'This share of a window is kept for the pipeline: others do not get it.';
comment on column headgate.quota_shares.ceiling_share is 'The pipeline gets no more than this share of a window.';
comment on column headgate.quota_shares.backfill_operations is
    'Operations that are a backfill in this pipeline, besides those that always are.';
comment on column headgate.quota_shares.reserve is 'Units that the backfill leaves untouched.';
