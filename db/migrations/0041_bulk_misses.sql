-- A call for a whole group that keeps lacking an asset.

alter table headgate.asset_processing_state
    add column bulk_misses smallint not null default 0,
    add column alone_until timestamptz;

comment on column headgate.asset_processing_state.bulk_misses is
    'Calls for the whole group in a row that lacked this asset; after two it is asked for alone.';
comment on column headgate.asset_processing_state.alone_until is
    'Until when it is asked for alone after two such calls; null: until one has it.';
