-- The outbox's assets are the core's; the schema says what it is.

comment on schema notify is 'Sends the notices of the universe outbox; no tables.';
