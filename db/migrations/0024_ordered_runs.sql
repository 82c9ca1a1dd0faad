-- headgate.start_execution takes one more argument: whether an order woke the run.

-- squawk-ignore ban-drop-function
drop function if exists headgate.start_execution(text, text, timestamptz, jsonb, text);
-- squawk-ignore ban-drop-function
drop function if exists headgate._open_steps(bigint, timestamptz);
