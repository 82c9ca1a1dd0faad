-- Notices belong to the core; this schema only carries a description.

comment on schema notify is 'Sends the notices of the outbox; no tables.';
