-- What a runner needs to make a chunk's calls: the provider's rules once, a URL for each job.

create or replace function headgate._requests(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_params jsonb,
    out assets text[],
    out urls text[],
    out bodies text[],
    out refused jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_job record;
    v_url text;
    v_body text;
begin
    if p_operation.path is null then
        return;  -- nothing to call: asset codes and URLs would only travel for nothing
    end if;

    for v_job in
        select a as asset, s as state
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        join headgate.assets as a using (asset_id)
        join headgate.asset_processing_state as s
            on s.operation_id = p_chunk.operation_id and s.asset_id = u.asset_id
        order by u.nth
    loop
        begin
            v_url := headgate._request_url(p_operation, v_job.asset, v_job.state, p_params);
            v_body := headgate._request_body(p_operation.body, v_job.asset, v_job.state, p_params)::text;
        exception
            when sqlstate 'HG017' then
                v_url := null;
                refused := coalesce(refused, '{}') || jsonb_build_object((v_job.asset).asset_id::text, sqlerrm);
        end;
        assets := assets || (v_job.asset).code;
        urls := array_append(urls, v_url);
        bodies := array_append(bodies, v_body);
    end loop;
end;
$func$;

create or replace function headgate._call(
    p_operation headgate.operations,
    p_provider headgate.providers,
    p_refused jsonb,
    p_is_probe boolean,
    p_stop_before integer
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_strip_nulls(jsonb_build_object(
        'base_url', p_provider.base_url,
        'method', p_operation.method,
        'headers', p_provider.headers || p_operation.headers,
        'auth', p_provider.auth || jsonb_build_object('secret', p_provider.secret_name),
        'timeout_seconds', extract(epoch from p_operation.timeout),
        'max_bytes', p_operation.max_bytes,
        'in_flight', greatest(1, p_provider.max_in_flight / greatest(1, (
            select count(distinct c.runner)
            from headgate.chunks as c
            where c.provider_id = p_provider.provider_id
                and c.state = 'leased'
        ))),
        'probe', p_is_probe,
        'stop_before_seconds', p_stop_before,
        'refused', p_refused,
        'rules', (
            select coalesce(jsonb_agg(
                jsonb_build_object(
                    'status', r.status, 'content_type', r.content_type, 'body', r.body, 'outcome', r.outcome,
                    'blame', r.blame, 'reason', r.reason, 'close', r.close
                )
                order by r.position
            ), '[]')
            from headgate.response_rules as r
            where r.provider_id = p_provider.provider_id
        )
    ));
$func$;
