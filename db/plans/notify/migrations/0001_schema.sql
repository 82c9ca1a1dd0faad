-- The notices are the core's; the schema says what it is.

comment on schema notify is 'Sends the notices of the outbox; no tables.';
