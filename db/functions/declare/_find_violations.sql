-- Report every table constraint that an object would violate; PostgreSQL stops at the first.

create or replace function headgate._find_violations(
    p_kind text,
    p_name text,
    p_settings jsonb
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_table constant regclass := to_regclass('headgate.' || headgate._table_of(p_kind));
    v_columns constant jsonb := headgate._as_columns(p_kind, p_name, p_settings);
    v_constraint record;
    v_is_kept boolean;
    v_found boolean := false;
begin
    for v_constraint in
        select
            c.conname::text as name,
            pg_get_expr(c.conbin, c.conrelid) as expression,
            pg_get_constraintdef(c.oid, true) as definition
        from pg_constraint as c
        where c.conrelid = v_table
            and c.contype = 'c'
        union all
        select a.attname || '_is_missing', format('%I is not null', a.attname), 'it has no default'
        from pg_attribute as a
        where a.attrelid = v_table
            and a.attnotnull
            and not a.atthasdef
            and a.attnum > 0
            and a.attidentity = ''
            and headgate._setting_of(a.attname) = any (array(select jsonb_object_keys(p_settings)))
        order by 1
    loop
        execute format('select %s from jsonb_populate_record(null::%s, $1)', v_constraint.expression, v_table)
        into v_is_kept using v_columns;
        if not v_is_kept then
            v_found := true;
            perform headgate._note_mistake(
                p_kind, p_name, format(
                    case
                        when v_constraint.definition = 'it has no default' then '%s: %s'
                        else '%s breaks the rule: %s'
                    end, headgate._object(p_kind, p_name), replace(v_constraint.name, '_', ' ')
                ),
                v_constraint.definition
            );
        end if;
    end loop;
    return v_found;
end;
$func$;
