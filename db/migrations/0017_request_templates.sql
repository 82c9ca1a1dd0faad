-- A chunk's templates are taken apart once, no longer for each of its jobs.

-- squawk-ignore ban-drop-function
drop function if exists headgate._request_url(
    headgate.operations, headgate.assets, headgate.asset_processing_state, jsonb
);
-- squawk-ignore ban-drop-function
drop function if exists headgate._render(
    text, headgate.assets, headgate.asset_processing_state, jsonb, boolean
);
