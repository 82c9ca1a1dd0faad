-- Parse a request line: GET /posts/{asset.code}?x={param.y?}, or GET {asset.code!}, which is a path with its query. A
-- question mark inside braces belongs to the field.

create or replace function headgate._as_request(
    p_operation text,
    p_request text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_parts constant text[] := regexp_match(
        btrim(p_request),
        '^(?:([A-Za-z]+)\s+)?(/(?:[^?{}\s]|[{][^{}\s]*[}])*|[{]asset[.][A-Za-z0-9_]+![}]$)'
        || '(?:[?]((?:[^{}\s]|[{][^{}\s]*[}])*))?$'
    );
    v_fault text;
    v_query jsonb;
begin
    if p_request is null then
        return '{}';
    elsif v_parts is null then
        v_fault := format('malformed request: %s', quote_literal(p_request));
    else
        select
            jsonb_object_agg(split_part(q.pair, '=', 1), substr(q.pair, strpos(q.pair, '=') + 1)),
            case
                when bool_or(q.pair !~ '^[^=]+=') then 'request has a query parameter without a name or a value'
                when count(distinct split_part(q.pair, '=', 1)) < count(*) then 'request names a query parameter twice'
            end
        into v_query, v_fault
        from regexp_split_to_table(v_parts[3], '&') as q (pair)
        where q.pair <> '';
    end if;
    if v_fault is null then
        return jsonb_build_object('method', upper(v_parts[1]), 'path', v_parts[2], 'query', v_query);
    end if;
    perform headgate._note_mistake(
        'operation', p_operation, format('operation %s: %s', p_operation, v_fault),
        'a request is a method, a path below the provider''s base URL and a query: GET /posts/{asset.code}?x={param.y?}'
    );
    return '{"path": "/"}';  -- placeholder, so that the other settings are still checked
end;
$func$;
