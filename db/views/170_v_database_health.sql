-- From a function, because only its owner may see other users' transactions.

drop view if exists headgate.v_database_health cascade;

create view headgate.v_database_health as
select h.measure, h.value, h.threshold, h.verdict
from headgate.database_health() as h;

comment on view headgate.v_database_health is
    'What slows the queues down: old transactions, dead rows, bloat, connections.';
comment on column headgate.v_database_health.measure is
    'What is measured; the name ends in the unit, unless it is a count.';
comment on column headgate.v_database_health.value is 'The current value.';
comment on column headgate.v_database_health.threshold is 'The highest acceptable value.';
comment on column headgate.v_database_health.verdict is
    'ok, warn above the threshold, unknown where the owner may not see it.';
