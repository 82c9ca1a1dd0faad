-- How fresh the data of each group is.

drop view if exists headgate.v_data_freshness cascade;

create view headgate.v_data_freshness as
select g.operation, g.group_key, g.assets, g.fresh, g.stale, g.never, g.oldest_watermark
from headgate._group_states as g
order by g.operation, g.group_key;

comment on view headgate.v_data_freshness is
    'How fresh the data of active assets is, by operation and group.';
comment on column headgate.v_data_freshness.operation is 'The operation.';
comment on column headgate.v_data_freshness.group_key is 'The group.';
comment on column headgate.v_data_freshness.assets is 'Assets that need it.';
comment on column headgate.v_data_freshness.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate.v_data_freshness.stale is 'Assets that have it and are due, or fail.';
comment on column headgate.v_data_freshness.never is 'Assets that never had it.';
comment on column headgate.v_data_freshness.oldest_watermark is
    'How far the data of the most outdated asset reaches.';
