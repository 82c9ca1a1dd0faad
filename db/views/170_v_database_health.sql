-- How calm the database is; a function tells it, because only its owner may see other users' transactions.

drop view if exists headgate.v_database_health cascade;

create view headgate.v_database_health as
select h.measure, h.value, h.threshold, h.verdict
from headgate.database_health() as h;

comment on view headgate.v_database_health is
    'What slows the queues down: old transactions, dead rows, bloat, connections.';
comment on column headgate.v_database_health.measure is
    'What is measured; its name ends in its unit where it is not a count.';
comment on column headgate.v_database_health.value is 'How much it is now.';
comment on column headgate.v_database_health.threshold is 'How much it may be.';
comment on column headgate.v_database_health.verdict is
    'ok, warn above the threshold, unknown where the owner may not see it.';
