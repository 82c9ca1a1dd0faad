-- A claim reads only the queues that hold something, and a completion claims in two halves.

-- squawk-ignore require-concurrent-index-creation
create index chunks_queue_idx on headgate.chunks (queue) where msg_id is not null;
comment on index headgate.chunks_queue_idx is 'Which queues hold messages.';

-- It is applied again with other arguments.
-- squawk-ignore ban-drop-function
drop function if exists headgate._claim(text, headgate.providers, text[], integer, boolean, timestamptz);
