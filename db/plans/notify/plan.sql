-- Sends what waits in the outbox. Channels and routes are declared by the plans of a site: docs/notifications.md.
select headgate.begin_plan('notify');

-- One notice is one chunk: when its runner dies, at most one is sent again, under the same Idempotency-Key or
-- Message-ID.
select headgate.put_operation('send_notices', 'outbox', due => 'once', description => 'Send a notice to its channel.',
    priority => 1, chunk_size => 1, max_attempts => 6, backoff => '5 seconds', timeout => '60 seconds',
    handler => 'notices', input_function => 'headgate.read_notices');
select headgate.put_pipeline('notify', 'Send what waits in the outbox; starts by itself.', is_started_when_due => true);
select headgate.put_step('notify', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('notify', 'send', operations => '{send_notices}', depends_on => '{initialize_execution}');
select headgate.put_step('notify', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{send}', trigger_rule => 'all_done');

select headgate.end_plan();
