-- What a runner needs for a chunk's calls, per job: a URL, or a database's statement and, as body, its parameters.

create or replace function headgate._requests(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_provider headgate.providers,
    p_params jsonb,
    out assets text[],
    out urls text[],
    out bodies text[],
    out headers jsonb[],
    out refused jsonb,
    out fault text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_params jsonb;
    v_headers jsonb;
    v_missing jsonb;
    v_first headgate.chunks := p_chunk;
    v_codes text;
begin
    if not p_operation.is_call then
        return;  -- no call to make: asset codes and URLs are not needed
    end if;
    v_params := p_params || jsonb_build_object(
        '?round', p_chunk.round,
        '?now', to_char(p_chunk.planned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    );
    if p_operation.statement is not null then
        select s.assets, s.statements, s.parameters, s.refused into assets, urls, bodies, refused
        from headgate._statements(p_chunk, p_operation, v_params) as s;
        return;
    end if;
    if p_operation.next_page is not null then
        v_params := v_params || jsonb_build_object('?pages', headgate._pages_to_ask(p_chunk));
    end if;
    v_headers := headgate._header_templates(p_provider.headers || p_operation.headers);
    if p_chunk.is_bulk then
        v_first.asset_ids := p_chunk.asset_ids[1 : 1];
        v_codes := array_to_string(array(
            select headgate._url_encode(a.code)
            from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
            join headgate.assets as a on a.asset_id = u.asset_id
            where p_operation.batch_size is not null
            order by u.nth
        ), ',');
        select
            array_agg(r.code), array_agg(r.url order by s.nth), array_agg(null::text),
            nullif(jsonb_strip_nulls(jsonb_object_agg(r.asset_id, r.request_error)), '{}'),
            array_agg(r.headers order by s.nth)
        into assets, urls, bodies, refused, headers
        from unnest(p_chunk.sessions) with ordinality as s (session, nth)
        cross join lateral headgate._request_urls(
            v_first, p_operation, v_headers, v_params || jsonb_build_object('?session', s.session, '?codes', v_codes)
        ) as r;
        return;
    end if;

    select
        array_agg(r.code order by r.nth), array_agg(r.url order by r.nth),
        case when v_headers <> '{}' then array_agg(r.headers order by r.nth) end,
        jsonb_object_agg(r.asset_id, r.request_error)
    into assets, urls, headers, v_missing
    from headgate._request_urls(p_chunk, p_operation, v_headers, v_params) as r;
    if p_provider.base_url = '{asset.base_url}' then
        select
            array_agg(case when h.fault is null then h.base_url || urls[h.nth] end order by h.nth),
            v_missing || jsonb_strip_nulls(jsonb_object_agg(h.asset_id, h.fault))
        into urls, v_missing
        from headgate._asset_addresses(p_chunk.asset_ids, p_provider) as h;
    end if;

    if p_operation.body_function is not null then
        select b.bodies, v_missing || jsonb_strip_nulls(coalesce(b.refused, '{}')), b.fault
        into bodies, v_missing, fault
        from headgate._called_bodies(p_chunk, p_operation, v_params) as b;
        urls := array(
            select case when bodies[u.nth] is not null then u.url end
            from unnest(urls) with ordinality as u (url, nth)
            order by u.nth
        );
    elsif p_operation.body is null then
        bodies := array_fill(null::text, array[cardinality(urls)]);
    else
        select
            array_agg(r.body order by r.nth),
            array_agg(case when r.request_error is null then urls[r.nth] end order by r.nth),
            v_missing || jsonb_strip_nulls(jsonb_object_agg(r.asset_id, r.request_error))
        into bodies, urls, v_missing
        from headgate._request_bodies(p_chunk, p_operation, v_params) as r;
    end if;
    refused := nullif(jsonb_strip_nulls(v_missing), '{}');
end;
$func$;

-- The current page of each job: its number, and the cursor that the previous page named.
create or replace function headgate._pages_to_ask(p_chunk headgate.chunks)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_object_agg(u.asset_id, jsonb_build_object('number', coalesce(g.page, 0) + 1, 'cursor', g.cursor))
    from unnest(p_chunk.asset_ids) as u (asset_id)
    left join lateral (
        select l.page, l.cursor
        from headgate.job_pages as l
        where l.execution_id = p_chunk.execution_id
            and l.operation_id = p_chunk.operation_id
            and l.asset_id = u.asset_id
        order by l.page desc
        limit 1
    ) as g on true;
$func$;

-- The URL of each job (path and query, without base URL and secret) and its own headers. Templates are parsed once for
-- all jobs; a parameter or header with an optional field without a value is left out, any other missing value is an
-- error of its job. So is a path segment that becomes empty, because it would lead to another path. A whole path, as
-- {asset.code!}, is inserted unchanged, unless robots.txt disallows it; the runner sends nothing that leaves the
-- provider's host. In PL/pgSQL its plan is kept for the session, also before PostgreSQL 18.
create or replace function headgate._request_urls(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_headers jsonb,
    p_params jsonb
)
returns table (nth bigint, asset_id bigint, code text, url text, headers jsonb, request_error text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
begin
    return query
    with piece as materialized (
        select t.is_whole, t.kind, t.part, t.name, p.nth, p.literal, p.field, p.is_optional
        from (
            select
                p_operation.path like '%!}' as is_whole, 'path' as kind, 0 as part, null as name,
                replace(p_operation.path, '!}', '}') as template
            union all
            select false, 'query', row_number() over (order by q.key), headgate._url_encode(q.key) || '=', q.value
            from jsonb_each_text(p_operation.query) as q
            union all
            select false, 'header', row_number() over (order by h.key), h.key, h.value
            from jsonb_each_text(p_headers) as h
        ) as t
        cross join headgate._pieces(t.template) as p
    ),
    job as materialized (
        select u.nth, a as asset, s as state
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        join headgate.assets as a on a.asset_id = u.asset_id
        join headgate.asset_processing_state as s
            on s.operation_id = p_chunk.operation_id and s.asset_id = u.asset_id
    ),
    part as (
        select
            j.nth,
            p.kind,
            p.part,
            p.name,
            string_agg(
                case
                    when p.field is null then p.literal
                    when p.kind = 'header' or p.is_whole then v.value
                    -- Codes are encoded one by one: encoded commas would be three times as long.
                    when p.field = 'chunk.codes' then v.value
                    when v.value ~ '^[A-Za-z0-9_.~-]*$' then v.value  -- unchanged, without the cost of a call
                    else headgate._url_encode(v.value)
                end,
                '' order by p.nth
            ) as text,
            bool_or(p.is_optional and v.value is null) as is_absent,
            min(p.field) filter (where not p.is_optional and v.value is null) as missing,
            bool_or(p.kind = 'header' and v.value ~ '[^ -~]') as is_unfit,
            bool_or(p.is_whole and v.value !~ '^/[!-~]*$') as is_no_path,
            bool_or(p.is_whole and not headgate.is_allowed(r.name, v.value)) as is_disallowed
        from job as j
        cross join piece as p
        join headgate.providers as r on r.provider_id = p_chunk.provider_id
        cross join lateral (
            select case
                when p.field is not null then headgate._field(p.field, j.asset, j.state, p_params)
                else ''
            end as value
        ) as v
        group by j.nth, p.kind, p.part, p.name
    ),
    request as (
        select
            p.nth,
            max(p.text) filter (where p.kind = 'path')
                || coalesce('?' || string_agg(p.name || p.text, '&' order by p.part)
                    filter (where p.kind = 'query' and not p.is_absent), '') as url,
            jsonb_object_agg(p.name, p.text) filter (where p.kind = 'header' and not p.is_absent) as headers,
            min(p.missing) as missing,
            min(p.name) filter (where p.is_unfit) as unfit,
            bool_or(p.is_no_path) as is_no_path,
            bool_or(p.is_disallowed) as is_disallowed,
            bool_or(
                p.kind = 'path'
                and p_operation.path not like '%!}'
                and cardinality(array_positions(string_to_array(p.text, '/'), ''))
                > cardinality(array_positions(string_to_array(p_operation.path, '/'), ''))
            ) as lacks_segment
        from part as p
        group by p.nth
    )
    select
        j.nth,
        (j.asset).asset_id,
        (j.asset).code,
        case
            when r.missing is null and r.unfit is null and not r.is_no_path and not r.is_disallowed
                and not r.lacks_segment
                then r.url
        end,
        r.headers,
        case
            when r.missing is not null then headgate._field_error(r.missing, (j.asset).code)
            when r.is_no_path then format('the path of %s is not one that a URL can hold', (j.asset).code)
            when r.is_disallowed then format('robots.txt disallows %s', (j.asset).code)
            when r.lacks_segment then format('a segment of its path is empty for %s', (j.asset).code)
            when r.unfit is not null then format(
                'the value of header %s for %s has characters that are not allowed in a header', r.unfit, (j.asset).code
            )
        end
    from job as j
    join request as r using (nth);
end;
$func$;

-- The base URL of each asset's calls, or why it is rejected. The runner checks the host again.
create or replace function headgate._asset_addresses(
    p_asset_ids bigint[],
    p_provider headgate.providers
)
returns table (nth bigint, asset_id bigint, base_url text, fault text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        u.nth, u.asset_id, rtrim(h.base_url, '/'),
        case
            when h.base_url is null then headgate._field_error('asset.base_url', a.code)
            when h.base_url !~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$'
                then format('the base_url of %s is not an address: %s', a.code, quote_literal(left(h.base_url, 100)))
            when lower(substring(h.base_url from '^https?://([^/]+)')) <> all (p_provider.hosts)
                then format(
                    'the base_url of %s leads to %s, and provider %s allows only %s', a.code,
                    substring(h.base_url from '^https?://([^/]+)'), p_provider.name, headgate._names(p_provider.hosts)
                )
        end
    from unnest(p_asset_ids) with ordinality as u (asset_id, nth)
    join headgate.assets as a on a.asset_id = u.asset_id
    cross join lateral (select a.attributes ->> 'base_url' as base_url) as h;
$func$;

-- The body of each job, if the operation has one.
create or replace function headgate._request_bodies(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_params jsonb
)
returns table (nth bigint, asset_id bigint, body text, request_error text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_job record;
begin
    for v_job in
        select u.nth, a as asset, s as state
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        join headgate.assets as a on a.asset_id = u.asset_id
        join headgate.asset_processing_state as s
            on s.operation_id = p_chunk.operation_id and s.asset_id = u.asset_id
    loop
        nth := v_job.nth;
        asset_id := (v_job.asset).asset_id;
        begin
            body := headgate._request_body(p_operation.body, v_job.asset, v_job.state, p_params)::text;
            request_error := null;
        exception
            when sqlstate 'HG017' then
                body := null;
                request_error := sqlerrm;
        end;
        return next;
    end loop;
end;
$func$;

create or replace function headgate._url_encode(p_text text)
returns text
language sql
immutable
strict
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text ~ '^[A-Za-z0-9_.~-]*$' then p_text
        else (
            select string_agg(
                case
                    when b.byte between 48 and 57 or b.byte between 65 and 90 or b.byte between 97 and 122
                        or b.byte in (45, 46, 95, 126) then chr(b.byte)
                    else '%' || upper(lpad(to_hex(b.byte), 2, '0'))
                end,
                '' order by b.nth
            )
            from (
                select n as nth, get_byte(convert_to(p_text, 'UTF8'), n) as byte
                from generate_series(0, octet_length(convert_to(p_text, 'UTF8')) - 1) as n
            ) as b
        )
    end;
$func$;
