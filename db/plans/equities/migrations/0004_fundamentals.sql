-- What the provider reported about a company, each time the report changed.

create table equities.fundamentals (
    asset_id bigint not null,
    fetched_at timestamptz not null,
    content_hash bytea not null,
    payload jsonb not null,
    constraint fundamentals_pkey primary key (asset_id, fetched_at),
    constraint content_hash_is_sha256 check (octet_length(content_hash) = 32),
    constraint payload_has_general check (jsonb_typeof(payload -> 'General') = 'object')
);

comment on table equities.fundamentals is
    'Fundamentals of a listing, one row each time they differed from the previous row; the latest row holds now.';
comment on column equities.fundamentals.asset_id is 'The listing, as in headgate.v_assets.';
comment on column equities.fundamentals.fetched_at is 'When this content was first seen.';
comment on column equities.fundamentals.content_hash is
    'SHA-256 of the payload''s text, so that comparing reads no payload.';
comment on column equities.fundamentals.payload is
    'The provider''s answer: General, Highlights, Valuation, Financials and so on.';
