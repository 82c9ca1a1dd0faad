-- Maintenance: stored functions that know no other plan, and future trading sessions.
select headgate.begin_plan('maintenance');

select headgate.put_pipeline('headgate_maintenance', 'Retention, statistics, health; daily.');
select headgate.put_step('headgate_maintenance', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('headgate_maintenance', 'maintain_history', function => 'headgate.maintain_history',
    depends_on => '{initialize_execution}');
select headgate.put_step('headgate_maintenance', 'maintain_statistics', function => 'headgate.maintain_statistics',
    depends_on => '{maintain_history}');
select headgate.put_step('headgate_maintenance', 'check_health', function => 'headgate.check_health',
    depends_on => '{maintain_statistics}', trigger_rule => 'all_done');
select headgate.put_step('headgate_maintenance', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{check_health}', trigger_rule => 'all_done');

-- The calendars of assets are assets themselves: once a week their sessions are computed a year and a half ahead.
select headgate.put_operation('trading_calendars', 'trading_calendars', due => 'every 7 days',
    description => 'The sessions of a calendar, a year and a half ahead.', priority => 2,
    handler => 'calendars', ingest_function => 'headgate.ingest_sessions');
select headgate.put_pipeline('trading_calendars', 'Compute the trading sessions to come; weekly.');
select headgate.put_step('trading_calendars', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('trading_calendars', 'extend_calendars', operations => '{trading_calendars}',
    depends_on => '{initialize_execution}');
select headgate.put_step('trading_calendars', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{extend_calendars}', trigger_rule => 'all_done');

select headgate.end_plan();

select * from headgate.upsert_assets('trading_calendars', (
    select coalesce(jsonb_agg(distinct jsonb_build_object('code', a.calendar, 'group_key', 'calendar')), '[]')
    from headgate.assets as a
    where a.calendar is not null
));
