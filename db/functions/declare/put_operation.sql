-- Work on the assets of a universe: when it is due, which request it makes and how answers are stored. "into" is quoted
-- because it is an SQL keyword: the table that a generated ingest function merges answers into.

create or replace function headgate.put_operation(
    operation text,
    universe text default null,
    due text default null,
    provider text default 'local',
    request text default null,
    description text default null,
    units integer default null,
    units_per_asset integer default null,
    priority integer default null,
    bundle text default null,
    follows text default null,
    bulk_call_of text default null,
    batch_size integer default null,
    feature text default null,
    is_backfill boolean default null,
    overlap integer default null,
    chunk_size integer default null,
    max_attempts integer default null,
    backoff interval default null,
    backoff_max interval default null,
    max_wait interval default null,
    lease interval default null,
    delivery text default null,
    timeout interval default null,
    headers jsonb default null,
    body text default null,
    max_bytes bigint default null,
    outputs jsonb default null,
    expectations text[] default null,
    "into" text default null,
    rows text default null,
    key text[] default null,
    columns jsonb default null,
    watermark text default null,
    sequence_by text default null,
    ingest_function text default null,
    handler text default null,
    handler_environment text[] default null,
    input_function text default null,
    max_memory bigint default null,
    weight_power double precision default null,
    staleness_per_day double precision default null,
    statement text default null,
    max_rows integer default null,
    late_commits interval default null,
    pool text default null,
    pool_slots integer default null,
    jitter double precision default null,
    stage text default null,
    parser text default null,
    input_format text default null,
    handler_options jsonb default null,
    store text default null,
    artifact_name text default null,
    keep_files interval default null,
    next_page text default null,
    max_pages integer default null,
    changes_of text default null,
    changes_by text default null,
    cache interval default null,
    revalidate boolean default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_stage constant text := headgate._open_stage(operation, stage, coalesce("into", ingest_function));
    v_due constant jsonb := headgate._as_due(operation, due);
    v_request constant jsonb := headgate._as_request(operation, request) || headgate._as_body(operation, body);
begin
    return headgate._declare('operation', operation, v_due || v_request || jsonb_build_object(
        'universe', coalesce(universe, headgate._implied_universe(operation)),
        'provider', case when headgate._check_reference('operation', operation, 'provider', provider) then provider end,
        'description', description,
        'units', units,
        'units_per_asset', units_per_asset,
        'priority', priority,
        'bundle', bundle,
        'follows', case when headgate._check_reference('operation', operation, 'operation', follows) then follows end,
        'bulk_call_of', case
            when headgate._check_reference('operation', operation, 'operation', bulk_call_of) then bulk_call_of
        end,
        'batch_size', batch_size,
        'feature', feature,
        'is_backfill', is_backfill,
        'overlap', overlap,
        'chunk_size', coalesce(chunk_size, case
            when num_nonnulls(input_format, changes_of) > 0 or stage is not null and handler is not null then 1
        end),
        'max_attempts', max_attempts,
        'backoff', backoff,
        'backoff_max', backoff_max,
        'max_wait', max_wait,
        'lease', lease,
        'delivery', delivery,
        'timeout', timeout,
        'headers', headers,
        'max_bytes', max_bytes,
        'outputs', headgate._checked_outputs(operation, outputs),
        'expectations', headgate._as_expectations(operation, expectations),
        'ingest_function', case
            when "into" is null then ingest_function
            when v_stage is distinct from stage then null
            else headgate._write_ingest_function(
                operation, "into", rows, key, columns, watermark, sequence_by, v_stage
            )
        end,
        'handler', coalesce(handler, case when changes_of is not null then 'export' end),
        'handler_environment', handler_environment,
        'input_function', coalesce(input_function, case when changes_of is not null then 'headgate.read_changes' end),
        'max_memory', max_memory,
        'weight_power', weight_power,
        'staleness_per_day', staleness_per_day,
        'statement', statement,
        'max_rows', max_rows,
        'parser', parser,
        'late_commits', late_commits,
        'pool', case when headgate._check_reference('operation', operation, 'pool', pool) then pool end,
        'pool_slots', pool_slots,
        'jitter', jitter,
        'stage', v_stage,
        'input_format', coalesce(input_format, case when changes_of is not null then 'csv' end),
        'handler_options', case
            when changes_of is null then handler_options
            else coalesce(handler_options, '{}') || '{"partition": "cdc_hour", "part": "cdc_id"}'
        end,
        'store', case when headgate._check_reference('operation', operation, 'store', store) then store end,
        'artifact_name', artifact_name,
        'keep_files', keep_files,
        'next_page', headgate._as_next_page(operation, next_page),
        'max_pages', max_pages,
        'changes_of', headgate._open_changes(operation, changes_of, changes_by, universe, artifact_name),
        'changes_by', changes_by
    ) || jsonb_build_object(  -- a call takes 100 arguments at most
        'cache', cache,
        'revalidate', revalidate
    ));
end;
$func$;

comment on function headgate.put_operation is
    'Declare an operation: due is once, run, every <interval>, session, after <operations> or function <name>; request '
    'is GET /path?name=value, with {fields}. Without a universe it has one asset, named like it. Returns created, '
    'unchanged, or changed and what.';

-- JSON whose strings are templates, or the name of a function that writes bodies.
create or replace function headgate._as_body(
    p_operation text,
    p_body text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_body ~ '^[A-Za-z_]\w*[.][A-Za-z_]\w*$' then
        return jsonb_build_object('body_function', p_body);
    end if;
    return jsonb_build_object('body', p_body::jsonb);
exception
    when data_exception then
        perform headgate._note_mistake(
            'operation', p_operation,
            format('operation %s: its body is neither JSON nor the name of a function: %s', p_operation, sqlerrm),
            'a body is JSON whose strings are templates, or schema.function'
        );
        return '{}';
end;
$func$;

-- Rows of predicate, verdict and reason, as objects.
create or replace function headgate._as_expectations(
    p_operation text,
    p_expectations text[]
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_expectations is null then
        return null;
    elsif array_ndims(p_expectations) is distinct from 2 or array_length(p_expectations, 2) <> 3 then
        perform headgate._note_mistake(
            'operation', p_operation,
            format('operation %s: expectations are not rows of predicate, verdict and reason', p_operation),
            $$e.g. array[['$.body.state == "healthy"', 'degraded', 'it says {body.state}']]$$
        );
        return null;
    end if;
    perform headgate._note_mistake(
        'operation', p_operation, format('operation %s: expectation %s', p_operation, f.fault), f.hint
    )
    from generate_subscripts(p_expectations, 1) as i
    cross join headgate._expectation_faults(
        p_expectations[i][1], p_expectations[i][2], p_expectations[i][3]
    ) as f;
    return (
        select jsonb_agg(
            jsonb_build_object(
                'predicate', p_expectations[i][1], 'verdict', p_expectations[i][2], 'reason', p_expectations[i][3]
            )
            order by i
        )
        from generate_subscripts(p_expectations, 1) as i
    );
end;
$func$;

create or replace function headgate._expectation_faults(
    p_predicate text,
    p_verdict text,
    p_reason text
)
returns table (fault text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with parts as (
        select array['asset', 'body', 'duration_ms', 'headers', 'status'] as known
    )
    select
        format('%s is %s', coalesce(quote_literal(p_predicate), 'null'), p.fault),
        'a jsonpath predicate over {status, duration_ms, headers, body, asset}, as $.body.state == "healthy"'
    from headgate._predicate_fault(p_predicate) as p (fault)
    where p.fault is not null
    union all
    select
        format('%s has the unknown verdict %s', quote_literal(p_predicate), coalesce(quote_literal(p_verdict), 'null')),
        headgate._known('verdicts', p_verdict, array['degraded', 'failed', 'retry', 'skipped'])
    where p_verdict in ('degraded', 'failed', 'retry', 'skipped') is not true
    union all
    select
        format('%s reads %s, which answers do not have', quote_literal(p_predicate), quote_literal(m.part[1])),
        headgate._known('parts of an answer', m.part[1], p.known)
    from parts as p
    cross join regexp_matches(p_predicate, '[$][.]"?(\w+)', 'g') as m (part)
    where m.part[1] <> all (p.known)
    union all
    select
        format('%s: its reason names {%s}, which answers do not have', quote_literal(p_predicate), m.field[1]),
        headgate._known('parts of an answer', m.field[1], p.known)
    from parts as p
    cross join regexp_matches(p_reason, '[{]([A-Za-z0-9_.-]+)[}]', 'g') as m (field)
    where split_part(m.field[1], '.', 1) <> all (p.known);
$func$;

-- Every value is a JSON path; a mistake is noted for those that are not.
create or replace function headgate._checked_outputs(
    p_operation text,
    p_outputs jsonb
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if jsonb_typeof(p_outputs) = 'object' then
        perform headgate._note_mistake(
            'operation', p_operation,
            format('operation %s: output %s is not a JSON path: %s', p_operation, o.name, quote_literal(o.path)),
            'a JSON path over {status, duration_ms, headers, body, asset}, e.g. {"total": "$.body.total"}'
        )
        from jsonb_each_text(p_outputs) as o (name, path)
        where not headgate._is_path(o.path);
    end if;
    return p_outputs;
end;
$func$;

create or replace function headgate._as_next_page(
    p_operation text,
    p_next_page text
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._note_mistake(
        'operation', p_operation,
        format('operation %s: next_page is not a JSON path: %s', p_operation, quote_literal(p.path)),
        'a JSON path over the body, as $.meta.next, link <parameter>, or offset <JSON path of the rows>'
    )
    from (select substring(p_next_page from '[$].*$') as path) as p
    where not headgate._is_path(p.path);

    select p_next_page;
$func$;
