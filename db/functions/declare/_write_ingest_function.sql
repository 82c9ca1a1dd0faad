-- Generate the standard ingest function when its operation is declared: plain SQL with the table's columns and types,
-- visible with \sf. Nothing is interpreted per row. With a stage its rows are those that were staged, and columns and
-- watermark name columns of the stage instead of paths in an answer. Returns its name; a mistake is noted.

create or replace function headgate._write_ingest_function(
    p_operation text,
    p_into text,
    p_rows text,
    p_key text[],
    p_columns jsonb,
    p_watermark text,
    p_sequence_by text,
    p_stage text
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_name constant text := format('%I.%I', split_part(p_into, '.', 1), 'ingest_' || p_operation);
    v_key constant text[] := coalesce(p_key, '{asset_id}');
    v_columns constant jsonb := coalesce(p_columns, headgate._columns_as_staged(to_regclass(p_stage)), '{}');
    v_source text;
    v_owner text;
begin
    perform headgate._note_mistake('operation', p_operation, format('operation %s: %s', p_operation, m.fault), m.hint)
    from headgate._ingest_mistakes(p_into, p_rows, v_key, v_columns, p_watermark, p_sequence_by, p_stage) as m;
    if found then
        return replace(v_name, '"', '');
    end if;
    v_source := case
        when p_stage is null then headgate._ingest_source(
            p_into::regclass, headgate._given_answers(coalesce(p_rows, '$')), false, v_key, v_columns, p_watermark,
            p_sequence_by
        )
        else headgate._staged_source(p_into::regclass, p_operation, v_key, v_columns, p_watermark, p_sequence_by)
    end;
    if exists (
        select
        from pg_proc as p
        where p.oid = to_regprocedure(v_name || '(jsonb, bigint[], text[])')
            and p.prosrc = v_source
    ) then
        return replace(v_name, '"', '');
    end if;
    select pg_get_userbyid(n.nspowner) into v_owner from pg_namespace as n where n.nspname = split_part(p_into, '.', 1);
    -- A stage has no statistics: a nested loop over a million rows must not look cheap.
    execute format(
        'create or replace function %s(p_context jsonb, p_asset_ids bigint[], p_payloads text[]) '
        'returns setof headgate.ingest_result language %s volatile security definer '
        'set search_path = pg_catalog, pg_temp set timezone = ''UTC''%s as %L', v_name,
        case when p_stage is null then 'sql' else 'plpgsql' end,
        case when p_stage is not null then ' set enable_nestloop = off' else '' end, v_source
    );
    execute format('alter function %s(jsonb, bigint[], text[]) owner to %I', v_name, v_owner);
    execute format('revoke all on function %s(jsonb, bigint[], text[]) from public', v_name);
    execute format('grant execute on function %s(jsonb, bigint[], text[]) to headgate_nobody', v_name);
    execute format(
        'comment on function %s(jsonb, bigint[], text[]) is %L', v_name,
        format('Ingest function of %s, generated from what its plan declares.', p_operation)
    );
    return replace(v_name, '"', '');
end;
$func$;

-- A stage's columns, each under its own name.
create or replace function headgate._columns_as_staged(p_stage regclass)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_object_agg(a.attname, a.attname)
    from pg_attribute as a
    where a.attrelid = p_stage
        and a.attnum > 0
        and not a.attisdropped
        and a.attname <> 'asset_id';
$func$;

-- Rows of answers, as value.
create or replace function headgate._given_answers(p_rows text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        E'from unnest(p_asset_ids, p_payloads) with ordinality as a (asset_id, payload, nth)\n        '
        'cross join lateral %s as r (value)', headgate._json_rows('a.payload::jsonb', p_rows)
    );
$func$;

-- The rows of an answer as SQL.
create or replace function headgate._json_rows(
    p_value text,
    p_path text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_path = '$' then format('(select %s)', p_value)
        when p_path ~ '^[$]([.]\w+)*\[[*]\]$' then format('jsonb_array_elements(%s%s)', p_value, (
            select string_agg(format(' -> %L', k.key[1]), '')
            from regexp_matches(p_path, '[.](\w+)', 'g') as k (key)
        ))
        else format('jsonb_path_query(%s, %L)', p_value, p_path)
    end;
$func$;
