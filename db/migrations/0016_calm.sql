-- Tables whose few rows change all the time: room in the page, and a vacuum that does not wait for a share of the table.
-- The queues' own tables are pgmq's; headgate.check_plans sees to them.

alter table headgate.chunks set (
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);
alter table headgate.provider_gates set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
alter table headgate.quota_windows set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
alter table headgate.process_steps set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
