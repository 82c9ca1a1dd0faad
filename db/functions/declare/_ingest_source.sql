-- The statement of a generated ingest function. Of rows with the same key one is written, and counts for the asset that
-- brought it.

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
        case when p_watermark is not null then ', max(g.watermark_)::timestamptz as watermark' end
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
