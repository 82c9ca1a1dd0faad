-- How an operation's requests are made: what they have in common, and how answers are classified. In PL/pgSQL its plan
-- is kept for the session, also before PostgreSQL 18.

create or replace function headgate._call(
    p_operation headgate.operations,
    p_provider headgate.providers,
    p_refused jsonb,
    p_fault text,
    p_has_own_headers boolean,
    p_is_probe boolean,
    p_in_flight integer,
    p_stop_before integer,
    p_schedule jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'kind', nullif(p_provider.kind, 'http'),
        'base_url', p_provider.base_url,
        'hosts', p_provider.hosts,
        'method', case when p_operation.path is not null then p_operation.method end,
        'headers', case
            when p_has_own_headers then (p_provider.headers || p_operation.headers) - array(
                select jsonb_object_keys(headgate._header_templates(p_provider.headers || p_operation.headers))
            )
            else p_provider.headers || p_operation.headers
        end,
        'auth', p_provider.auth || jsonb_build_object('secret', p_provider.secret_name),
        'timeout_seconds', extract(epoch from p_operation.timeout),
        'max_bytes', p_operation.max_bytes,
        'max_rows', p_operation.max_rows,
        'parser', p_operation.parser,
        'max_memory', case when p_operation.parser is not null then p_operation.max_memory end,
        'answers', case
            when p_operation.statement like '%{new.%' then 'snapshot'
            when p_operation.is_ingest_of_answers
                or concat(p_operation.outputs, p_operation.expectations) like '%headers%'
                or p_operation.next_page like 'link %'
                or p_operation.cache is not null
                or p_operation.headers::text ~ '[{]state[.](etag|last_modified)[?]?[}]' then 'headers'
            when num_nonnulls(p_operation.outputs, p_operation.expectations) > 0 then 'status'
        end,
        'cache', case when p_operation.cache is not null then true end,
        'keeps_refused', case when p_operation.outputs::text like '%body%' then true end,
        'stage', case when p_operation.stage is not null then headgate._stage_columns(p_operation) end,
        'in_flight', p_in_flight,
        'serves_all', case when p_operation.bulk_call_of_operation_id is not null then true end,
        'probe', p_is_probe,
        'stop_before_seconds', p_stop_before,
        'schedule', p_schedule,
        'refused', p_refused,
        'fault', p_fault,
        'rules', (
            select coalesce(jsonb_agg(
                jsonb_build_object(
                    'status', r.status, 'content_type', r.content_type, 'body', r.body, 'outcome', r.outcome,
                    'fault', r.fault, 'reason', r.reason, 'blocks', r.blocks, 'charged', nullif(r.charged, true)
                )
                order by r.position
            ), '[]')
            from headgate.v_response_rules as r
            where r.provider_id = p_provider.provider_id
        )
    ));
end;
$func$;
