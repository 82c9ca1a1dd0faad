-- The row that an ingest function returns for each asset.

create type headgate.ingest_result as (
    asset_id bigint,
    status text,
    records integer,
    watermark timestamptz,
    reason text
);

comment on type headgate.ingest_result is
    'What an ingest function made of one asset''s answer: success, failed or skipped; rows changed; its new watermark.';

-- The row a runner gets for each chunk it claims; without a chunk it says when to ask again.

create type headgate.claimed_chunk as (
    chunk_id bigint,
    lease_no integer,
    lease_seconds integer,
    pipeline text,
    run_id text,
    step text,
    provider text,
    operation text,
    call jsonb,
    handler text,
    asset_ids bigint[],
    assets text[],
    urls text[],
    bodies text[],
    attempt integer,
    wake_at timestamptz
);

comment on type headgate.claimed_chunk is 'A chunk a runner has claimed, with its requests; chunk_id null: nothing, ask again at wake_at.';

-- A job's end, as one part of the core tells it to another.

create type headgate.job_end as (
    asset_id bigint,
    status text,
    reason text,
    error text,
    units integer,
    requests integer,
    records integer,
    watermark timestamptz,
    duration_ms integer
);

comment on type headgate.job_end is 'How a job ended: what its details row and its state will say.';

-- What becomes of a reported job: it ends with a status, or is parked.

create type headgate.job_fate as (
    asset_id bigint,
    fate text,
    reason text,
    error text,
    units integer,
    requests integer,
    records integer,
    watermark timestamptz,
    duration_ms integer,
    attempt integer,
    wake_at timestamptz,
    park_until timestamptz,
    refund integer
);

comment on type headgate.job_fate is 'A reported job''s fate: an end (its status) or ''park'', and what either needs.';
