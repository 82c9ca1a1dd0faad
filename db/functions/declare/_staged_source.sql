-- The body of the generated ingest function of an operation with a stage. Rows whose keys lie where the table has none,
-- as in a first load or a new day, are inserted without a look at each key; the table's unique index tells if another
-- writer was faster. All others are merged. Rows are written in the order of their keys, lest two loads deadlock; where
-- a sample of the stage is in that order, it is taken as it is, and a sort is saved.

create or replace function headgate._staged_source(
    p_table regclass,
    p_operation text,
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
#variable_conflict use_column
declare
    v_first record;
    v_last record;
    v_is_new boolean := false;
    v_is_sorted boolean;
    v_written integer;
begin
    if cardinality(p_asset_ids) = 1 then
        v_is_new := not exists (select from %7$s);
        if not v_is_new then
            select %1$s into v_first
                %4$s
            order by %1$s
            limit 1;
            select %1$s into v_last
                %4$s
            order by %2$s
            limit 1;
            v_is_new := coalesce((
                select (%3$s) > (%6$s)
                from %7$s as t
                where (%3$s) >= (%5$s)
                order by %3$s
                limit 1
            ), true);
        end if;
    end if;
    if v_is_new then
        begin
            select coalesce(bool_and(n.is_later), false) into v_is_sorted
            from (
                select (%1$s) > (%13$s) as is_later
                %14$s
            ) as n;
            if v_is_sorted then
                insert into %7$s (%8$s)
                select %9$s
                %4$s;
            else
                insert into %7$s (%8$s)
                select distinct on (%1$s) %9$s
                %4$s
                order by %1$s%10$s;
            end if;
            get diagnostics v_written = row_count;
            return query
            select p_asset_ids[1], 'success', v_written, %11$s, null::text;
            return;
        exception
            when unique_violation or deadlock_detected then
                null;
        end;
    end if;
    return query%12$send;
$body$,
        k.staged, k.backward, k.kept, headgate._given_rows(p_operation), k.first, k.last, p_table, c.names, c.staged,
        ', a.' || quote_ident(p_columns ->> p_sequence_by) || ' desc nulls last',
        case
            when p_watermark is null then 'null::timestamptz'
            else format('(select max(a.%I)::timestamptz %s)', p_watermark, headgate._given_rows(p_operation))
        end,
        headgate._ingest_source(
            p_table, headgate._given_rows(p_operation), true, p_key, p_columns, p_watermark, p_sequence_by
        ),
        k.before, headgate._given_rows(p_operation, ' tablesample system (1) repeatable (0)')
    )
    from (
        select
            string_agg(format('%I', a.attname), ', ' order by a.attnum) as names,
            string_agg(format('a.%I', coalesce(p_columns ->> a.attname, 'asset_id')), ', ' order by a.attnum) as staged
        from pg_attribute as a
        where a.attrelid = p_table
            and a.attnum > 0
            and not a.attisdropped
            and (p_columns ? a.attname or a.attname = 'asset_id')
    ) as c
    cross join (
        select
            string_agg(format('a.%I', s.name), ', ' order by u.nth) as staged,
            string_agg(format('a.%I desc', s.name), ', ' order by u.nth) as backward,
            string_agg(format('lag(a.%I) over ()', s.name), ', ' order by u.nth) as before,
            string_agg(format('t.%I', u.name), ', ' order by u.nth) as kept,
            string_agg(format('v_first.%I', s.name), ', ' order by u.nth) as first,
            string_agg(format('v_last.%I', s.name), ', ' order by u.nth) as last
        from unnest(headgate._key_as_indexed(p_table, p_key)) with ordinality as u (name, nth)
        cross join lateral (select coalesce(p_columns ->> u.name, 'asset_id')) as s (name)
    ) as k;
$func$;

-- The key's columns in the order of its index.
create or replace function headgate._key_as_indexed(
    p_table regclass,
    p_key text[]
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select k.columns
    from pg_index as i
    cross join lateral (
        select array_agg(a.attname::text order by u.nth)
        from unnest(i.indkey::int2[]) with ordinality as u (attnum, nth)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = u.attnum
        where u.nth <= i.indnkeyatts
    ) as k (columns)
    where i.indrelid = p_table
        and i.indisunique
        and i.indpred is null
        and k.columns <@ p_key
        and k.columns @> p_key
    order by i.indisprimary desc
    limit 1;
$func$;

-- Rows of a stage that this lease has copied, or a sample of them.
create or replace function headgate._given_rows(
    p_operation text,
    p_sample text default ''
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        E'from headgate_stage.%I as a%s\n        where a.chunk_id = (p_context ->> ''chunk_id'')::bigint\n            '
        'and a.lease_no = (p_context ->> ''lease_no'')::integer\n            and a.asset_id = any (p_asset_ids)',
        p_operation, p_sample
    );
$func$;
