-- A job whose answer names a next page goes on with it: instead of ending as a success it is parked, and wakes at once,
-- in the same commit as its page. So a page is a call with its own units, a crash repeats no page that was committed,
-- and a lease's token is valid for one page. The last page's result counts the records and watermarks of all.

create or replace function headgate._turn_pages(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_payloads text[],
    p_answers text[],
    p_job_results headgate.job_result[],
    p_now timestamptz
)
returns headgate.job_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_is_kept constant boolean := 'state.cursor' in (select f.* from headgate._template_fields(p_operation) as f);
    v_result headgate.job_result;
    v_results headgate.job_result[] := '{}';
    v_before record;
    v_next record;
    v_asked text;
    v_nth integer;
begin
    foreach v_result in array p_job_results loop
        if v_result.result in ('success', 'skipped') then
            select
                count(*)::integer as pages, coalesce(sum(g.records), 0)::integer as records,
                max(g.watermark) as watermark
            into v_before
            from headgate.job_pages as g
            where g.execution_id = p_chunk.execution_id
                and g.operation_id = p_chunk.operation_id
                and g.asset_id = v_result.asset_id;
            v_nth := array_position(p_asset_ids, v_result.asset_id);
            v_asked := headgate._asked_cursor(p_chunk, v_result.asset_id, v_is_kept);
            select * into v_next from headgate._next_cursor(
                p_operation.next_page, p_payloads[v_nth], p_answers[v_nth], v_before.pages + 1, v_asked
            );
            if v_is_kept and v_next.cursor = v_asked then
                v_next.cursor := null;  -- nothing new since then
            end if;
            v_result := headgate._turn_page(
                p_chunk, p_operation, v_result, v_before.pages + 1, v_next.cursor, v_next.fault, p_now
            );
            if v_is_kept and v_next.cursor is not null and v_result.result <> 'failed' then
                update headgate.asset_processing_state as s
                set cursor = v_next.cursor
                where s.operation_id = p_chunk.operation_id
                    and s.asset_id = v_result.asset_id
                    and s.chunk_id = p_chunk.chunk_id;
            end if;
            if v_result.result in ('success', 'skipped') then
                v_result.records := v_result.records + v_before.records;
                v_result.watermark := greatest(v_result.watermark, v_before.watermark);
                delete from headgate.job_pages as g
                where g.execution_id = p_chunk.execution_id
                    and g.operation_id = p_chunk.operation_id
                    and g.asset_id = v_result.asset_id;
            end if;
        end if;
        v_results := v_results || v_result;
    end loop;
    return v_results;
end;
$func$;

-- Go on with the next page, or end: at the last one, at the cap, or because the cursor has occurred before.
create or replace function headgate._turn_page(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_result headgate.job_result,
    p_page integer,
    p_cursor text,
    p_fault text,
    p_now timestamptz
)
returns headgate.job_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_before constant integer := (
        select g.page
        from headgate.job_pages as g
        where g.execution_id = p_chunk.execution_id
            and g.operation_id = p_chunk.operation_id
            and g.asset_id = p_result.asset_id
            and md5(g.cursor) = md5(p_cursor)
            and g.cursor = p_cursor
    );
    v_fault constant text := coalesce(p_fault, format(
        'page %s names the cursor %s, as page %s did: it would never end', p_page, quote_literal(left(p_cursor, 200)),
        v_before
    ));
begin
    if p_fault is not null or v_before is not null then
        p_result.result := 'failed';
        p_result.reason := left(v_fault, 500);
        p_result.error := v_fault;
    elsif p_cursor is not null and p_page >= p_operation.max_pages then
        p_result.verdict := 'degraded';
        p_result.reason := format('stopped after max_pages, %s: there are more', p_page);
    elsif p_cursor is not null then
        insert into headgate.job_pages (execution_id, operation_id, asset_id, page, cursor, records, watermark)
        values (
            p_chunk.execution_id, p_chunk.operation_id, p_result.asset_id, p_page, p_cursor, p_result.records,
            p_result.watermark
        );
        p_result.result := 'park';
        p_result.reason := format('page %s comes next', p_page + 1);
        p_result.attempt := 1;
        p_result.retry_count := 0;
        p_result.wake_at := p_now;
        p_result.park_until := p_now + p_operation.max_wait;
    end if;
    return p_result;
end;
$func$;

-- The cursor that this page was asked with; null: it was the first.
create or replace function headgate._asked_cursor(
    p_chunk headgate.chunks,
    p_asset_id bigint,
    p_is_kept boolean
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_is_kept then (
            select s.cursor
            from headgate.asset_processing_state as s
            where s.operation_id = p_chunk.operation_id
                and s.asset_id = p_asset_id
        )
        else (
            select g.cursor
            from headgate.job_pages as g
            where g.execution_id = p_chunk.execution_id
                and g.operation_id = p_chunk.operation_id
                and g.asset_id = p_asset_id
            order by g.page desc
            limit 1
        )
    end;
$func$;

-- The next page's cursor: a value of the answer's body, a parameter of the Link header's next, or the number of rows
-- so far. Null: it was the last page. A fault: the cursor cannot be read.
create or replace function headgate._next_cursor(
    p_next_page text,
    p_payload text,
    p_answer text,
    p_page integer,
    p_asked text,
    out cursor text,
    out fault text
)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_path constant text := substring(p_next_page from '[$].*$');
    v_name constant text := substring(p_next_page from '^link (.*)$');
    v_url text;
    v_value jsonb;
begin
    if v_name is not null then
        v_url := substring(
            p_answer::jsonb #>> '{headers,link}' from '<([^<>]*)>[^<]*;\s*rel\s*=\s*"?(?:[^";,]*\s)?next\M'
        );
        cursor := headgate._url_decode(
            substring(v_url from '[?&]' || replace(v_name, '.', '\.') || '=([^&#]*)')
        );
        if v_url is not null and cursor is null then
            fault := format('the Link to the next page has no parameter %s', v_name);
        end if;
    elsif p_next_page like 'offset %' then
        v_value := jsonb_path_query_array(p_payload::jsonb, v_path::jsonpath);
        if jsonb_array_length(v_value) > 0 then
            cursor := coalesce(p_asked, '0')::bigint + jsonb_array_length(v_value);
        end if;
    else
        v_value := jsonb_path_query_first(p_payload::jsonb, v_path::jsonpath);
        cursor := case v_value
            when 'true' then (p_page + 1)::text
            when 'false' then null
            else nullif(v_value #>> '{}', '')
        end;
        if jsonb_typeof(v_value) in ('object', 'array') then
            fault := format('%s is not a cursor: %s', p_next_page, left(v_value::text, 200));
        end if;
    end if;
exception
    when data_exception then
        fault := format('next_page %s: %s', p_next_page, sqlerrm);
end;
$func$;

create or replace function headgate._url_decode(p_text text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text !~ '[%+]' then p_text
        else (
            select convert_from(
                string_agg(
                    case
                        when m.piece[1] ~ '^%..$' then decode(substr(m.piece[1], 2), 'hex')
                        when m.piece[1] = '+' then convert_to(' ', 'UTF8')
                        else convert_to(m.piece[1], 'UTF8')
                    end, ''::bytea
                    order by m.nth
                ), 'UTF8'
            )
            from regexp_matches(p_text, '%[0-9A-Fa-f]{2}|[+]|[^%+]+|%', 'g') with ordinality as m (piece, nth)
        )
    end;
$func$;
