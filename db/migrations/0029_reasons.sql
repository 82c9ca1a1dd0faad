-- Why a due pair has to wait is worded by headgate.v_refusals.

-- squawk-ignore ban-drop-function
drop function if exists headgate._refused_because(text);
