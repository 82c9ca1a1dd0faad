-- A call for a group that asks for several sessions goes on from answer to answer, and an answer may cost nothing.

alter table headgate.chunks
    add column records integer[],
    add column retry_count integer not null default 0,
    -- squawk-ignore constraint-missing-not-valid
    add constraint retry_count_is_not_negative check (retry_count >= 0),
    -- squawk-ignore constraint-missing-not-valid
    add constraint records_are_of_its_jobs check (cardinality(records) = cardinality(asset_ids));

comment on column headgate.chunks.sessions is
    'Of a call for the group: the sessions that have not been answered, one call each; a page, which is for none, has one null. Null: a call for each asset.';
comment on column headgate.chunks.records is
    'Of a call for the group: rows that answers to earlier sessions changed, in the order of asset_ids; null: none was answered.';
comment on column headgate.chunks.retry_count is 'Times in a row that its jobs were parked to be called again; an answer ends the row.';

alter table headgate.response_rules add column charged boolean not null default true;

comment on column headgate.response_rules.charged is
    'False: the provider does not charge for such an answer, and the units of its call are given back.';

alter type headgate.job_fate add attribute retry_count integer;
