-- A call for many assets of a group that names them: a page. And what an account has, for calls that not every account may make.

alter table headgate.operations
    add column page_size integer,
    add column units_per_asset integer not null default 0,
    add column feature text,
    -- squawk-ignore constraint-missing-not-valid
    add constraint a_page_serves_another_operation
        check (page_size is null or page_size > 0 and alternative_of_operation_id is not null),
    -- squawk-ignore constraint-missing-not-valid
    add constraint units_per_asset_are_of_a_page
        check (units_per_asset = 0 or units_per_asset > 0 and page_size is not null);

comment on column headgate.operations.page_size is
    'Of a call that names the assets it serves ({chunk.codes}): how many at most; null: a call serves one asset, or a whole group for a session.';
comment on column headgate.operations.units_per_asset is 'What the provider charges for each asset that a page names, besides units for the page.';
comment on column headgate.operations.feature is
    'Planned only where the provider''s account has this feature (providers.features); null: every account may call it.';

alter table headgate.providers
    add column features text[] not null default '{}';

comment on column headgate.providers.features is
    'What the account has that not every account has; operations name what they need. headgate.set_provider changes it.';

comment on column headgate.chunks.sessions is
    'Of a call for the group: the session of each call; a page, which is for none, has one null. Null: a call for each asset.';
