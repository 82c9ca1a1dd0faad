-- Generate the standard ingest function when its operation is declared: plain SQL with the table's columns and types,
-- visible with \sf. Nothing is interpreted per row. Returns its name, or null if the declaration is invalid.

create or replace function headgate._write_ingest_function(
    p_operation text,
    p_into text,
    p_rows text,
    p_key text[],
    p_columns jsonb,
    p_watermark text
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_name constant text := format('%I.%I', split_part(p_into, '.', 1), 'ingest_' || p_operation);
    v_source text;
    v_owner text;
begin
    if headgate._find_ingest_mistakes(p_operation, p_into, p_rows, p_key, p_columns, p_watermark) then
        return null;
    end if;
    v_source := headgate._ingest_source(
        p_into::regclass, coalesce(p_rows, '$'), coalesce(p_key, '{asset_id}'), coalesce(p_columns, '{}'), p_watermark
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
    execute format(
        'create or replace function %s(p_context jsonb, p_asset_ids bigint[], p_payloads text[]) '
        'returns setof headgate.ingest_result language sql volatile security definer '
        'set search_path = pg_catalog, pg_temp set timezone = ''UTC'' as %L', v_name, v_source
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

-- The function's body.
create or replace function headgate._ingest_source(
    p_table regclass,
    p_rows text,
    p_key text[],
    p_columns jsonb,
    p_watermark text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        $body$
    with given as (
        select%s a.asset_id%s%s
        from unnest(p_asset_ids, p_payloads)%s
        cross join lateral %s as r (value)%s
    ),
    written as (
        insert into %s as t (asset_id%s)
        select g.asset_id%s
        from given as g
        on conflict (%s) do %s
        returning t.asset_id
    )
    select u.asset_id, 'success', %s, %s, null::text
    from unnest(p_asset_ids) as u (asset_id)
    left join %s using (asset_id)%s;
$body$,
        case when not c.is_one_row then format(' distinct on (%s)', k.given) else '' end,
        c.selected,
        ', ' || headgate._json_text('r.value', p_watermark, 'timestamptz') || ' as watermark_',
        case
            when c.is_one_row then ' as a (asset_id, payload)'
            else ' with ordinality as a (asset_id, payload, nth)'
        end,
        headgate._json_rows('a.payload::jsonb', p_rows),
        case when not c.is_one_row then format(E'\n        order by %s, a.nth desc', k.given) else '' end,
        p_table, c.names, c.given, k.names,
        coalesce(
            format(
                E'update\n        set %s\n        where (%s) is distinct from (%s)',
                c.assigned, c.old_values, c.new_values
            ),
            'nothing'
        ),
        case when c.is_one_row then '(w.asset_id is not null)::integer' else 'coalesce(w.records, 0)::integer' end,
        case when p_watermark is null then 'null::timestamptz' else 'm.watermark' end,
        case
            when c.is_one_row then 'written as w'
            else '(select w.asset_id, count(*) as records from written as w group by w.asset_id) as w'
        end,
        case
            when p_watermark is null then ''
            else
                E'\n    left join (select g.asset_id, max(g.watermark_) as watermark from given as g group by 1) as m '
                'using (asset_id)'
        end
    )
    from (
        select
            p_rows = '$' and 'asset_id' = any (p_key) as is_one_row,
            coalesce(string_agg(
                format(
                    E',\n            %s as %I',
                    headgate._json_text('r.value', s.path, format_type(a.atttypid, a.atttypmod)), a.attname
                ), '' order by a.attnum
            ), '') as selected,
            coalesce(string_agg(format(', %I', a.attname), '' order by a.attnum), '') as names,
            coalesce(string_agg(format(', g.%I', a.attname), '' order by a.attnum), '') as given,
            string_agg(format('%I = excluded.%1$I', a.attname), ', ' order by a.attnum)
                filter (where a.attname <> all (p_key)) as assigned,
            string_agg(format('t.%I', a.attname), ', ' order by a.attnum)
                filter (where a.attname <> all (p_key)) as old_values,
            string_agg(format('excluded.%I', a.attname), ', ' order by a.attnum)
                filter (where a.attname <> all (p_key)) as new_values
        from jsonb_each_text(p_columns) as s (name, path)
        join pg_attribute as a on a.attrelid = p_table and a.attname = s.name
    ) as c
    cross join (
        select
            string_agg(format('%I', u.name), ', ' order by u.nth) as names,
            string_agg(
                case
                    when u.name = 'asset_id' then 'a.asset_id'
                    else headgate._json_text('r.value', p_columns ->> u.name, format_type(a.atttypid, a.atttypmod))
                end, ', ' order by u.nth
            ) as given
        from unnest(p_key) with ordinality as u (name, nth)
        join pg_attribute as a on a.attrelid = p_table and a.attname = u.name
    ) as k;
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
create or replace function headgate._find_ingest_mistakes(
    p_operation text,
    p_into text,
    p_rows text,
    p_key text[],
    p_columns jsonb,
    p_watermark text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table constant regclass := to_regclass(p_into);
    v_columns constant text[] := array(
        select a.attname::text from pg_attribute as a where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped
    );
    v_mistake record;
    v_found boolean := false;
begin
    for v_mistake in
        select format('into: there is no table %s', quote_literal(p_into)) as fault, headgate._known(
            'tables of the schema', p_into, array(
                select format('%s.%s', n.nspname, c.relname)
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where n.nspname = split_part(p_into, '.', 1)
                    and c.relkind in ('r', 'p')
            )
        ) as hint
        where v_table is null
        union all
        select
            format('%s has no column %s', p_into, quote_literal(c.name)),
            headgate._known('its columns', c.name, v_columns)
        from (
            select k.name from jsonb_object_keys(p_columns) as k (name)
            union
            select k.name from unnest(p_key) as k (name)
            union
            select 'asset_id'
        ) as c
        where v_table is not null
            and c.name <> all (v_columns)
        union all
        select format('key: %s has no value in columns', quote_literal(k.name)), 'give it a path, e.g. {"id": "$.id"}'
        from unnest(p_key) as k (name)
        where k.name <> 'asset_id'
            and not coalesce(p_columns, '{}') ? k.name
        union all
        select
            format('%s has no unique key (%s)', p_into, array_to_string(coalesce(p_key, '{asset_id}'), ', ')),
            'rows are merged by a primary key or unique index of exactly these columns'
        where v_table is not null
            and coalesce(p_key, '{asset_id}') <@ v_columns
            and not exists (
                select
                from pg_index as i
                where i.indrelid = v_table
                    and i.indisunique
                    and i.indpred is null
                    and array(
                        select a.attname::text
                        from pg_attribute as a
                        where a.attrelid = v_table
                            and a.attnum = any (i.indkey)
                    ) <@ coalesce(p_key, '{asset_id}')
                    and i.indnkeyatts = cardinality(coalesce(p_key, '{asset_id}'))
            )
        union all
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
        where not headgate._is_path(p.path)
    loop
        v_found := true;
        perform headgate._note_mistake(
            'operation', p_operation, format('operation %s: %s', p_operation, v_mistake.fault), v_mistake.hint
        );
    end loop;
    return v_found;
end;
$func$;
