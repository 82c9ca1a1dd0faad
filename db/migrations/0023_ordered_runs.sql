-- headgate.start_execution takes one more argument: whether an order woke the run.

drop function if exists headgate.start_execution(text, text, timestamptz, jsonb, text);
drop function if exists headgate._open_steps(bigint, timestamptz);
