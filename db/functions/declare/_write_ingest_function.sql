-- Generate the standard ingest function when its operation is declared: plain SQL with the table's columns and types,
-- visible with \sf. Nothing is interpreted per row. With a stage its rows are those that were staged, and columns and
-- watermark name columns of the stage instead of paths in an answer. Returns its name, or null for a mistake.

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
        return null;
    end if;
    v_source := headgate._ingest_source(
        p_into::regclass, case
            when p_stage is null then headgate._given_answers(coalesce(p_rows, '$'))
            else headgate._given_rows(p_operation)
        end,
        p_stage is not null, v_key, v_columns, p_watermark, p_sequence_by
    );
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
        'returns setof headgate.ingest_result language sql volatile security definer '
        'set search_path = pg_catalog, pg_temp set timezone = ''UTC''%s as %L', v_name,
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

-- The function's body. Of rows with the same key one is written, and counts for the asset that brought it.
create or replace function headgate._ingest_source(
    p_table regclass,
    p_given text,
    p_is_staged boolean,
    p_key text[],
    p_columns jsonb,
    p_watermark text,
    p_sequence_by text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        $body$
    with given as (
        select distinct on (%1$s) a.asset_id%2$s%3$s
        %4$s
        order by %1$s%5$s%6$s
    ),
    written as (
        insert into %7$s as t (%8$s)
        select %9$s
        from given as g
        on conflict (%1$s) do %10$s
        returning %11$s
    )
    select u.asset_id, 'success', coalesce(r.records, 0)::integer, %12$s, null::text
    from unnest(p_asset_ids) as u (asset_id)
    left join (
        select g.asset_id, count(w.*) as records%13$s
        from given as g
        left join written as w using (%1$s)
        group by g.asset_id
    ) as r using (asset_id);
$body$,
        k.names,
        c.selected,
        E',\n            ' || headgate._value_as_sql(p_watermark, 'timestamptz', p_is_staged) || ' as watermark_',
        p_given,
        ', ' || quote_ident(p_sequence_by) || ' desc nulls last',
        case when not p_is_staged then ', a.nth desc' end,
        p_table, c.names, c.given,
        coalesce(
            format(
                E'update\n        set %s\n        where (%s) is distinct from (%s)%s',
                c.assigned, c.old_values, c.new_values,
                replace(E'\n            and (t.$ <= excluded.$ or t.$ is null)', '$', quote_ident(p_sequence_by))
            ),
            'nothing'
        ),
        k.written,
        case when p_watermark is null then 'null::timestamptz' else 'r.watermark' end,
        case when p_watermark is not null then ', max(g.watermark_) as watermark' end
    )
    from (
        select
            coalesce(string_agg(
                format(
                    E',\n            %s as %I',
                    headgate._value_as_sql(s.path, format_type(a.atttypid, a.atttypmod), p_is_staged), a.attname
                ), '' order by a.attnum
            ) filter (where s.path is not null), '') as selected,
            string_agg(format('%I', a.attname), ', ' order by a.attnum) as names,
            string_agg(format('g.%I', a.attname), ', ' order by a.attnum) as given,
            string_agg(format('%I = excluded.%1$I', a.attname), E',\n            ' order by a.attnum)
                filter (where s.path is not null and a.attname <> all (p_key)) as assigned,
            string_agg(format('t.%I', a.attname), ', ' order by a.attnum)
                filter (where s.path is not null and a.attname <> all (p_key)) as old_values,
            string_agg(format('excluded.%I', a.attname), ', ' order by a.attnum)
                filter (where s.path is not null and a.attname <> all (p_key)) as new_values
        from pg_attribute as a
        left join jsonb_each_text(p_columns) as s (name, path) on s.name = a.attname
        where a.attrelid = p_table
            and a.attnum > 0
            and not a.attisdropped
            and (s.name is not null or a.attname = 'asset_id')
    ) as c
    cross join (
        select
            string_agg(format('%I', u.name), ', ' order by u.nth) as names,
            string_agg(format('t.%I', u.name), ', ' order by u.nth) as written
        from unnest(p_key) with ordinality as u (name, nth)
    ) as k;
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

-- Rows of a stage that this lease has copied.
create or replace function headgate._given_rows(p_operation text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        E'from headgate_stage.%I as a\n        where a.chunk_id = (p_context ->> ''chunk_id'')::bigint\n            '
        'and a.lease_no = (p_context ->> ''lease_no'')::integer\n            and a.asset_id = any (p_asset_ids)',
        p_operation
    );
$func$;

-- A column of the stage, or a value in a row of an answer.
create or replace function headgate._value_as_sql(
    p_path text,
    p_type text,
    p_is_staged boolean
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_path is null then null
        when p_is_staged then format('a.%I', p_path)
        else headgate._json_text('r.value', p_path, p_type)
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

-- A row's value as a SQL expression: operators for a plain path, a path query for anything else.
create or replace function headgate._json_text(
    p_value text,
    p_path text,
    p_type text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format('(%s)::%s', case
        when p_path = '$' and p_type in ('json', 'jsonb') then p_value
        when p_path = '$' then p_value || ' #>> ''{}'''
        when p_path ~ '^[$]([.]\w+)+$' then p_value || (
            select string_agg(
                format(
                    ' %s %L',
                    case when k.nth = k.many and p_type not in ('json', 'jsonb') then '->>' else '->' end, k.key
                ), ''
                order by k.nth
            )
            from (
                select u.key, u.nth, count(*) over () as many
                from unnest(string_to_array(substr(p_path, 3), '.')) with ordinality as u (key, nth)
            ) as k
        )
        when p_type in ('json', 'jsonb') then format('jsonb_path_query_first(%s, %L)', p_value, p_path)
        else format('jsonb_path_query_first(%s, %L) #>> ''{}''', p_value, p_path)
    end, p_type)
    where p_path is not null;
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

-- All mistakes in the declaration.
create or replace function headgate._ingest_mistakes(
    p_into text,
    p_rows text,
    p_key text[],
    p_columns jsonb,
    p_watermark text,
    p_sequence_by text,
    p_stage text
)
returns table (fault text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with target as (
        select t.oid, array(
            select a.attname::text from pg_attribute as a
            where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
        ) as columns
        from (select to_regclass(p_into) as oid) as t
    )
    select format('into: there is no table %s', quote_literal(p_into)), headgate._known(
        'tables of the schema', p_into, array(
            select format('%s.%s', n.nspname, c.relname)
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            where n.nspname = split_part(p_into, '.', 1)
                and c.relkind in ('r', 'p')
        )
    )
    from target as t
    where t.oid is null
    union all
    select
        format('%s has no column %s', p_into, quote_literal(c.name)), headgate._known('its columns', c.name, t.columns)
    from target as t
    cross join (
        select k.name from jsonb_object_keys(p_columns) as k (name)
        union
        select k.name from unnest(p_key) as k (name)
    ) as c
    where t.oid is not null
        and c.name <> all (t.columns)
    union all
    select format('%s: %s has no value in columns', k.what, quote_literal(k.name)), case
        when p_stage is null then 'give it a path, e.g. {"id": "$.id"}'
        else format('name a column of the stage, e.g. {"id": "id"}; without columns they are those of %s', p_stage)
    end
    from (
        select 'key' as what, u.name from unnest(p_key) as u (name)
        where u.name <> 'asset_id'
        union all
        select 'sequence_by', p_sequence_by
    ) as k
    where not p_columns ? k.name
    union all
    select
        format('%s has no unique key (%s)', p_into, array_to_string(p_key, ', ')),
        'rows are merged by a primary key or unique index of exactly these columns'
    from target as t
    where p_key <@ t.columns
        and not exists (
            select
            from pg_index as i
            where i.indrelid = t.oid
                and i.indisunique
                and i.indpred is null
                and array(
                    select a.attname::text
                    from pg_attribute as a
                    where a.attrelid = t.oid
                        and a.attnum = any (i.indkey)
                ) <@ p_key
                and i.indnkeyatts = cardinality(p_key)
        )
    union all
    select m.fault, m.hint
    from headgate._source_mistakes(p_rows, p_columns, p_watermark) as m
    where p_stage is null
    union all
    select m.fault, m.hint
    from target as t
    cross join headgate._staged_mistakes(t.oid, p_rows, p_columns, p_watermark, to_regclass(p_stage)) as m
    where p_stage is not null;
$func$;

-- Paths that are none.
create or replace function headgate._source_mistakes(
    p_rows text,
    p_columns jsonb,
    p_watermark text
)
returns table (fault text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        format('%s is not a JSON path: %s', p.what, quote_literal(p.path)),
        'a JSON path: $[*] for rows, $.name for a value'
    from (
        select 'rows' as what, p_rows as path
        union all
        select 'watermark', p_watermark
        union all
        select 'column ' || c.name, c.path from jsonb_each_text(p_columns) as c (name, path)
    ) as p
    where not headgate._is_path(p.path);
$func$;

-- Columns that a stage does not have, or that would not convert without loss.
create or replace function headgate._staged_mistakes(
    p_table regclass,
    p_rows text,
    p_columns jsonb,
    p_watermark text,
    p_stage regclass
)
returns table (fault text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with staged as (
        select a.attname::text as name, a.atttypid, format_type(a.atttypid, a.atttypmod) as type
        from pg_attribute as a
        where a.attrelid = p_stage
            and a.attnum > 0
            and not a.attisdropped
    ),
    wanted as (
        select 'column ' || c.name as what, c.source, a.atttypid, format_type(a.atttypid, a.atttypmod) as type
        from jsonb_each_text(p_columns) as c (name, source)
        left join pg_attribute as a on a.attrelid = p_table and a.attname = c.name and a.attnum > 0
        union all
        select 'watermark', p_watermark, 'timestamptz'::regtype, 'timestamp with time zone'
    )
    select 'rows: those of the stage are taken', 'leave rows out' where p_rows is not null
    union all
    select
        format('%s: stage %s has no column %s', w.what, p_stage, quote_literal(w.source)),
        headgate._known('its columns', w.source, array(select s.name from staged as s))
    from wanted as w
    where w.source not in (select s.name from staged as s)
    union all
    select
        format('%s is %s, and %s of the stage %s', w.what, w.type, s.name, s.type),
        format('give it the same type in %s, or cast it where rows are staged', p_stage)
    from wanted as w
    join staged as s on s.name = w.source
    where s.atttypid <> w.atttypid
        and not exists (
            select
            from pg_cast as c
            where c.castsource = s.atttypid
                and c.casttarget = w.atttypid
                and c.castcontext = 'i'
        );
$func$;
