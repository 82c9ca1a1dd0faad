-- The composite type of the rows an ingest function takes, for its binary form: oids and columns in order.

create or replace function headgate._row_shape(p_function text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'array_oid', t.typarray::bigint,
        'oid', t.oid::bigint,
        'columns', (
            select jsonb_agg(jsonb_build_array(a.attname, a.atttypid::bigint) order by a.attnum)
            from pg_attribute as a
            where a.attrelid = t.typrelid
                and a.attnum > 0
                and not a.attisdropped
        )
    )
    from pg_proc as c
    join pg_type as s on s.oid = c.proargtypes[2]
    join pg_type as t on t.oid = s.typelem
    where c.oid = to_regproc(p_function)
        and t.typtype = 'c';
$func$;
