-- A call for a whole group that keeps lacking an asset.

alter table headgate.asset_processing_state
    add column bulk_misses smallint not null default 0;

comment on column headgate.asset_processing_state.bulk_misses is
    'Calls for the whole group in a row that lacked this asset; from 2 on it is asked for alone, until one has it.';
