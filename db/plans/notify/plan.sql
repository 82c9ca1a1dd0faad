-- Sends what waits in the outbox. Channels and routes are declared by the plans of a site: docs/notifications.md.
select headgate.begin_plan('notify');

-- One notice is one chunk: when its runner dies, it is about one. A web hook's is sent again, under the same
-- Idempotency-Key; whether Slack or a mail server has taken theirs stays unknown, and they are not sent twice.
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
