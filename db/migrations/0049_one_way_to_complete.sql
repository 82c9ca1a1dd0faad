-- Chunks are handed in one by one, by complete_jobs: no operation is without work, and each job leaves a row.

-- squawk-ignore ban-drop-function
drop function if exists headgate.complete_chunks(text, bigint[], integer[], integer, text[], text[]);
-- squawk-ignore ban-drop-function
drop function if exists headgate._held_chunks(text, bigint[], integer[]);
-- squawk-ignore ban-drop-function
drop function if exists headgate._as_one(headgate.chunks[]);
-- squawk-ignore ban-drop-function
drop function if exists headgate._is_idle(headgate.operations);
-- squawk-ignore ban-drop-function
drop function if exists headgate._house_fault(headgate.ingest_result[]);
-- squawk-ignore ban-drop-function
drop function if exists headgate._is_of_the_past(bigint, headgate.operations);
-- squawk-ignore ban-drop-function
drop function if exists headgate._jobs(bigint);
