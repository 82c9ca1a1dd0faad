-- Fresh statistics of the plan's tables, and how many dead rows wait for autovacuum: a function cannot vacuum.

create or replace function viral.database_maintenance(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_tables constant text[] := array(
        select c.relname::text
        from pg_class as c
        where c.relnamespace = 'viral'::regnamespace
            and c.relkind = 'r'
        order by c.relname
    );
    v_table text;
begin
    foreach v_table in array v_tables loop
        execute format('analyze viral.%I', v_table);
    end loop;
    return jsonb_build_object(
        'analyzed', cardinality(v_tables),
        'bytes', (
            select sum(pg_total_relation_size(c.oid))
            from pg_class as c
            where c.relnamespace = 'viral'::regnamespace
                and c.relkind = 'r'
        ),
        'dead_rows', (select sum(s.n_dead_tup) from pg_stat_user_tables as s where s.schemaname = 'viral')
    );
end;
$func$;

comment on function viral.database_maintenance(text, text) is
    'Analyze the plan''s tables; returns how many, their size, and the dead rows that autovacuum will remove.';
