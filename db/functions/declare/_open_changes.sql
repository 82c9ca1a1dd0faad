-- Have a table's changes logged for an operation, when it is declared: by the server, for a slot, or by triggers. What
-- is there already is not changed, so that a migration does not wait for writers; what is lost is for
-- headgate.repair. Returns p_table, or null for a mistake.

create or replace function headgate._open_changes(
    p_operation text,
    p_table text,
    p_by text,
    p_universe text,
    p_artifact_name text
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_table is null then
        perform headgate._close_changes(p_operation);
        perform headgate._note_mistake(
            'operation', p_operation, format('operation %s: changes_by says nothing without changes_of', p_operation),
            'say changes_of, or leave changes_by out'
        )
        where p_by is not null;
        return null;
    elsif headgate._find_changes_mistakes(p_operation, p_table, p_by, p_universe, p_artifact_name) then
        return null;
    end if;
    case headgate._way_of_changes(p_operation, p_table, p_by)
        when 'slot' then
            if not headgate._has_slot(p_operation, p_table) then
                perform headgate._open_slot(p_operation, p_table);
            end if;
        when 'triggers' then
            if headgate._changes_fault(p_operation, p_table) is not null then
                perform headgate._open_log(p_operation, p_table);
            end if;
        else null;  -- the row's constraint is broken
    end case;
    return p_table;
end;
$func$;

-- If the plan leaves it open, changes stay where they have been logged so far.
create or replace function headgate._way_of_changes(
    p_operation text,
    p_table text,
    p_by text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_by, case
        when headgate._has_slot(p_operation, p_table) then 'slot'
        when headgate._changes_fault(p_operation, p_table) is null then 'triggers'
        when exists (select from headgate._slot_obstacle(p_operation, p_table)) then 'triggers'
        else 'slot'
    end);
$func$;

-- A slot of this table, whatever has become of it: headgate._slot_fault.
create or replace function headgate._has_slot(
    p_operation text,
    p_table text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (select from headgate.change_slots as c where c.operation = p_operation)
        and not exists (
            select
            from pg_publication_rel as r
            join pg_publication as p on p.oid = r.prpubid
            where p.pubname = 'headgate_' || p_operation
                and r.prrelid <> to_regclass(p_table)
        );
$func$;

-- All mistakes in the declaration.
create or replace function headgate._find_changes_mistakes(
    p_operation text,
    p_table text,
    p_by text,
    p_universe text,
    p_artifact_name text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_mistake record;
    v_found boolean := false;
begin
    for v_mistake in
        select
            format('there is no table %L', p_table) as fault, 'changes_of is schema.table, a table of your plan' as hint
        where to_regclass(p_table) is null
        union all
        select format('%s is not a plain table', p_table), 'name a table, not a view or a partition'
        from pg_class as c
        where c.oid = to_regclass(p_table)
            and (c.relkind <> 'r' or c.relispartition)
        union all
        select format('%s has no primary key', p_table), 'by its key a reader knows which row a change is of'
        where to_regclass(p_table) is not null
            and not exists (select from pg_index as i where i.indrelid = to_regclass(p_table) and i.indisprimary)
        union all
        select
            format('%s has a column %s, which files have of their own', p_table, a.attname),
            'rename it: files have cdc_timestamp, operation and cdc_id beside the table''s columns'
        from pg_attribute as a
        where a.attrelid = to_regclass(p_table)
            and a.attnum > 0
            and a.attname in ('asset_id', 'cdc_hour', 'cdc_timestamp', 'cdc_id', 'operation')
        union all
        select s.obstacle, s.advice
        from headgate._slot_obstacle(p_operation, p_table) as s
        where p_by = 'slot'
        union all
        select 'changes are of one table, not of a universe''s assets', 'leave universe out'
        where p_universe is not null
        union all
        select
            'its artifact_name would be that of two files',
            'name it by hour and first change, e.g. posts/{partition}/{part}.parquet'
        where coalesce(p_artifact_name !~ '[{]partition[}].*[{]part[}]', true)
    loop
        v_found := true;
        perform headgate._note_mistake(
            'operation', p_operation, format('operation %s: changes_of: %s', p_operation, v_mistake.fault),
            v_mistake.hint
        );
    end loop;
    return v_found;
end;
$func$;
