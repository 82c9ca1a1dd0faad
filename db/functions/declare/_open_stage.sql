-- The table into which runners copy an operation's rows, when it is declared: the columns of the named table behind the
-- token of the lease and the asset. It belongs to the core and has neither triggers nor checks, so that a runner that
-- writes to it runs no plan's code; therefore types are PostgreSQL's own. Returns p_stage, or null for a mistake.

create or replace function headgate._open_stage(
    p_operation text,
    p_stage text,
    p_ingest_function text
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table constant text := format('headgate_stage.%I', p_operation);
    v_columns constant text := headgate._columns_of(to_regclass(p_stage), 0);
    v_wrong constant text := headgate._unfit_for_stage(to_regclass(p_stage));
    v_role text;
begin
    if p_stage is null then
        perform headgate._close_stage(p_operation);
        return null;
    elsif v_columns is null or v_wrong is not null then
        perform headgate._note_mistake(
            'operation', p_operation,
            format('operation %s: stage: ', p_operation) || case
                when v_columns is null then format('there is no table %s', quote_literal(p_stage))
                else format('column %s cannot be staged', v_wrong)
            end,
            'a stage is a table of your plan whose columns have types of PostgreSQL''s own'
        );
        return null;
    end if;
    if headgate._columns_of(to_regclass(v_table), 3) is distinct from v_columns then
        execute format('drop table if exists %s', v_table);
        execute format(
            'create unlogged table %s (chunk_id bigint not null, lease_no integer not null, asset_id bigint not null, '
            '%s)', v_table, v_columns
        );
        execute format('comment on table %s is %L', v_table, format('Rows of %s that are on their way.', p_operation));
        execute format('alter table %s owner to headgate_owner', v_table);
    end if;
    execute format('grant insert on %s to headgate_runner', v_table);
    select pg_get_userbyid(n.nspowner) into v_role
    from pg_namespace as n
    where n.nspname = split_part(p_ingest_function, '.', 1);
    if v_role is not null then
        execute format('grant usage on schema headgate_stage to %I', v_role);
        execute format('grant select on %s to %I', v_table, v_role);
    end if;
    return p_stage;
end;
$func$;
