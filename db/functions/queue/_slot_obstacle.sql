-- Why an operation cannot read a table's changes from the server's log, and what to do; no row if it can.

create or replace function headgate._slot_obstacle(
    p_operation text,
    p_table text
)
returns table (obstacle text, advice text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select x.obstacle, x.advice
    from (
        select
            1 as nth, 'the server''s wal_level is ' || current_setting('wal_level') as obstacle,
            'set wal_level to logical and restart the server' as advice
        where current_setting('wal_level') <> 'logical'
        union all
        select
            2, 'headgate_owner may not read the server''s log',
            'as a superuser, run: alter role headgate_owner replication'
        from pg_roles as r
        where r.rolname = 'headgate_owner'
            and not r.rolreplication
        union all
        select
            3, 'headgate_owner may not create publications',
            format(
                'as the owner of the database, run: grant create on database %I to headgate_owner', current_database()
            )
        where not has_database_privilege('headgate_owner', current_database(), 'create')
        union all
        select
            4, format('%s does not log whole rows', p_table),
            format('run: alter table %s replica identity full', p_table)
        from pg_class as c
        where c.oid = to_regclass(p_table)
            and c.relreplident <> 'f'
        union all
        select 5, format('%s is not in the server''s log', p_table), format('run: alter table %s set logged', p_table)
        from pg_class as c
        where c.oid = to_regclass(p_table)
            and c.relpersistence <> 'p'
        union all
        select
            6, format('%s has the generated column %s, which is not in the server''s log', p_table, a.attname),
            'leave changes_by out: triggers see it'
        from pg_attribute as a
        where a.attrelid = to_regclass(p_table)
            and a.attgenerated <> ''
            and not a.attisdropped
        union all
        select
            7, 'its name makes no name of a slot',
            'give it a shorter name, of small letters, digits and _, or leave changes_by out'
        where p_operation !~ '^[a-z0-9_]{1,43}$'
    ) as x
    order by x.nth
    limit 1;
$func$;
