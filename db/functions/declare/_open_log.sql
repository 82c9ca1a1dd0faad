-- Log a table's changes for an operation: statement triggers, and the table into which they write. They run as the
-- plan's role, because the rows' types may use functions of the plan.

create or replace function headgate._open_log(
    p_operation text,
    p_table text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_log constant text := format('headgate_changes.%I', p_operation);
    v_function text;
    v_owner text;
begin
    select format('%I.%I', n.nspname, '_log_' || p_operation), pg_get_userbyid(n.nspowner)
    into v_function, v_owner
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_table::regclass;
    if exists (select from headgate.change_slots as c where c.operation = p_operation)
        or exists (
            select
            from pg_trigger as t
            join pg_proc as p on p.oid = t.tgfoid
            where p.proname = '_log_' || p_operation
                and t.tgrelid <> p_table::regclass
        )
    then
        perform headgate._close_changes(p_operation);
    end if;
    execute format(
        'create table if not exists %s (cdc_id bigint generated always as identity, '
        'xid xid8 not null default pg_current_xact_id(), operation text not null, changed_at timestamptz not null, '
        'content json not null)', v_log
    );
    execute format('comment on table %s is %L', v_log, format('Changes of %s that wait for their export.', p_table));
    execute format('alter table %s owner to headgate_owner', v_log);
    execute format('grant usage on schema headgate_changes to %I', v_owner);
    execute format('grant insert (operation, changed_at, content) on %s to %I', v_log, v_owner);
    execute format(
        'create or replace function %s() returns trigger language plpgsql volatile security definer '
        'set search_path = pg_catalog, pg_temp set extra_float_digits = 1 set datestyle = ''ISO'' '
        'set intervalstyle = ''iso_8601'' as %L', v_function, headgate._changes_source(p_operation, p_table::regclass)
    );
    execute format(
        'comment on function %s() is %L', v_function,
        format('Logs changes of %s, generated from what its plan declares.', p_table)
    );
    execute format('revoke all on function %s() from public', v_function);
    execute format('alter function %s() owner to %I', v_function, v_owner);
    perform headgate._log_event(p_table::regclass, v_function, p_operation, e.event, e.rows)
    from (values
        ('insert', 'new table as new_rows'),
        ('update', 'old table as old_rows new table as new_rows'),
        ('delete', 'old table as old_rows'),
        ('truncate', null)
    ) as e (event, rows);
end;
$func$;

-- ALWAYS, so that rows written by a subscription of logical replication are changes, too.
create or replace function headgate._log_event(
    p_table regclass,
    p_function text,
    p_operation text,
    p_event text,
    p_rows text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_trigger constant text := format('log_%s_%s', p_event, p_operation);
begin
    execute format(
        'create or replace trigger %I after %s on %s %s for each statement execute function %s()', v_trigger, p_event,
        p_table, 'referencing ' || p_rows, p_function
    );
    execute format('alter table %s enable always trigger %I', p_table, v_trigger);
end;
$func$;
