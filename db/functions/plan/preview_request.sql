-- The request of an operation for an asset, built by the same functions as in a claim. Its run is inserted and rolled
-- back here, so nothing changes even if the caller commits.

create or replace function headgate.preview_request(
    p_operation text,
    p_asset_id bigint,
    p_pipeline text default null,
    p_params jsonb default '{}'
)
returns table (
    pipeline text, step text, provider text, operation text, asset text, units integer, call jsonb, url text,
    headers jsonb, body text, request_error text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_trial record;
    v_requests record;
begin
    begin
        select * into v_trial from headgate._trial(p_operation, p_asset_id, p_pipeline, p_params);
        if (v_trial.call).is_call then
            select * into v_requests
            from headgate._requests(v_trial.chunk, v_trial.call, v_trial.provider, v_trial.params);
            asset := v_requests.assets[1];
            url := v_requests.urls[1];
            headers := v_requests.headers[1];
            body := v_requests.bodies[1];
            request_error := coalesce(v_requests.refused ->> p_asset_id::text, v_requests.fault);
            call := headgate._call(
                v_trial.call, v_trial.provider, v_requests.refused, v_requests.fault,
                v_requests.headers is not null, false, null, null, null
            );
        end if;
        raise sqlstate 'UNDO0';
    exception
        when sqlstate 'UNDO0' then
            pipeline := v_trial.pipeline;
            step := (v_trial.chunk).step;
            provider := (v_trial.provider).name;
            operation := (v_trial.call).name;
            units := (v_trial.chunk).units;
            return next;
    end;
end;
$func$;

comment on function headgate.preview_request(text, bigint, text, jsonb) is
    'The request an operation would make for an asset: how calls are made (null: it makes none), URL, own headers, '
    'body; or why no request can be made. Changes nothing.';
