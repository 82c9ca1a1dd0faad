-- An operator's change to how a check is judged; it stays until the plan's file says something else.

create or replace function headgate.set_check(
    p_check text,
    p_changes jsonb
)
returns table (name text, severity text, warn_if text, error_if text, hold_for interval)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
declare
    v_keys constant text[] := '{severity,warn_if,error_if,hold_for}';
    v_old headgate.checks;
    v_new headgate.checks;
begin
    select c.* into v_old from headgate.checks as c where c.name = p_check for no key update;
    if not found then
        perform headgate._raise(
            'HG008', format('unknown check: %s', coalesce(quote_literal(p_check), 'null')),
            headgate._known('known checks', p_check, array(select c.name from headgate.checks as c))
        );
    end if;
    perform headgate._check_settings(format('check %s', p_check), p_changes, v_keys);
    v_new := jsonb_populate_record(v_old, p_changes);
    perform headgate._raise(
        'HG008', format('check %s: %s compares with nothing', p_check, quote_literal(u.comparison)),
        'compare with a number, or an interval of freshness: ''> 0'', ''< 0.95'', ''> 1 day'''
    )
    from unnest(array[v_new.warn_if, v_new.error_if]) as u (comparison)
    where u.comparison is not null
        and headgate._bound_of(u.comparison) is null;

    update headgate.checks as c
    set severity = v_new.severity, warn_if = v_new.warn_if, error_if = v_new.error_if, hold_for = v_new.hold_for
    where c.name = p_check;
    perform headgate._record_action('set_check', jsonb_build_object('check', p_check), p_changes);
    return query
    select c.name, c.severity, c.warn_if, c.error_if, c.hold_for from headgate.checks as c where c.name = p_check;
end;
$func$;

comment on function headgate.set_check(text, jsonb) is
    'Change severity, warn_if, error_if or hold_for of a check. Returns their new values.';
