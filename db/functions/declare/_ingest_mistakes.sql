-- All mistakes in what an operation declares of its generated ingest function.

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
    select
        format('%s.%s is not null and has no value in columns', p_into, a.attname),
        'give it a path, or its column a default'
    from target as t
    join pg_attribute as a on a.attrelid = t.oid and a.attname = any (t.columns) and a.attname <> all (p_key)
    where a.attnotnull
        and not a.atthasdef
        and a.attidentity = ''
        and a.attname <> 'asset_id'
        and not p_columns ? a.attname
        and t.columns @> array(select jsonb_object_keys(p_columns))  -- else it may be the misspelt one
        and not exists (select from pg_trigger as g where g.tgrelid = t.oid and not g.tgisinternal)  -- it may set it
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
