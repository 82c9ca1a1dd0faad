-- Objects of the core and of the plans. Partitions are left out because they come and go, and pgmq's tables because
-- they belong to pgmq. Definitions are printed differently by other major versions, so the version is recorded too.

create or replace function headgate._schema_objects()
returns table (object text, kind text, fingerprint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with ours as materialized (
        select n.oid
        from pg_namespace as n
        where n.nspname in ('headgate', 'headgate_bi') or pg_get_userbyid(n.nspowner) like 'headgate\_plan\_%'
    ),
    part as (
        select a.attrelid as relid, format(
            '%s %s %s %s %s', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid)
        ) as definition
        from pg_attribute as a
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attnum > 0 and not a.attisdropped
        union all
        select k.conrelid, k.conname || ' ' || pg_get_constraintdef(k.oid)
        from pg_constraint as k
        where k.contype <> 'n'
        union all
        select i.indrelid, pg_get_indexdef(i.indexrelid) || i.indisvalid from pg_index as i
        union all
        select t.tgrelid, pg_get_triggerdef(t.oid) || t.tgenabled::text from pg_trigger as t where not t.tgisinternal
    )
    select
        p.oid::regprocedure::text,
        'function',
        md5(concat_ws(
            ' ', p.prosrc, p.provolatile, p.prosecdef, p.proconfig, p.prolang, pg_get_function_arguments(p.oid),
            pg_get_function_result(p.oid), p.proowner::regrole, headgate._rights(p.proacl)
        ))
    from pg_proc as p
    join ours as n on n.oid = p.pronamespace
    union all
    select
        c.oid::regclass::text,
        case c.relkind when 'v' then 'view' else 'table' end,
        md5(concat_ws(
            ' ', c.relowner::regrole, headgate._rights(c.relacl), c.reloptions,
            case when c.relkind = 'v' then pg_get_viewdef(c.oid) end,
            (select string_agg(x.definition, E'\n' order by x.definition) from part as x where x.relid = c.oid)
        ))
    from pg_class as c
    join ours as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v')
        and not c.relispartition
    union all
    select 'PostgreSQL', 'server', (current_setting('server_version_num')::integer / 10000)::text;
$func$;

create or replace function headgate._rights(p_rights aclitem[])
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(u.item::text, ' ' order by u.item::text) from unnest(p_rights) as u (item);
$func$;
