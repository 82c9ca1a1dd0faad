-- Sends the notices in the outbox. The plans of a site declare channels and routes: docs/notifications.md.
select headgate.begin_plan('notify');

-- One notice is one chunk, so a runner that dies leaves at most that one in doubt. A web hook's notice is sent again
-- under the same Idempotency-Key. Whether Slack or a mail server has accepted a notice stays unknown, so those are not
-- sent twice.
select headgate.put_operation('send_notices', 'outbox', due => 'once', description => 'Send a notice by Slack or mail.',
    priority => 1, chunk_size => 1, max_attempts => 6, backoff => '5 seconds', timeout => '60 seconds',
    handler => 'notices', input_function => 'headgate.read_notices', delivery => 'at_most_once');
select headgate.put_operation('send_keyed_notices', 'keyed_outbox', due => 'once',
    description => 'Send a notice to a web hook.',
    priority => 1, chunk_size => 1, max_attempts => 6, backoff => '5 seconds', timeout => '60 seconds',
    handler => 'notices', input_function => 'headgate.read_notices');
select headgate.put_pipeline('notify', 'Send what waits in the outbox; starts by itself.', is_started_when_due => true);
select headgate.put_step('notify', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('notify', 'send', operations => '{send_notices,send_keyed_notices}',
    depends_on => '{initialize_execution}');
select headgate.put_step('notify', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{send}', trigger_rule => 'all_done');

select headgate.end_plan();
