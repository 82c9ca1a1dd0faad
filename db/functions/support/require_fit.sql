-- Callers of a function named in rows check it first: runners (inputs of handlers) and Airflow, as the core does.

create or replace function headgate.require_fit(
    p_function text,
    p_is_plans boolean default true
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_misfit text;
begin
    if headgate._is_plainly_fit(p_function) then
        return;
    end if;
    v_misfit := headgate._misfit(p_function);
    if v_misfit is not null and (p_is_plans or exists (
        select
        from pg_namespace as n
        where n.nspname = split_part(p_function, '.', 1)
            and pg_get_userbyid(n.nspowner) like 'headgate\_plan\_%'
    )) then
        perform headgate._raise(
            '42501',
            format('%s is not called: %s', p_function, v_misfit),
            'a plan''s function belongs to the plan''s role, is security definer and pins its search_path: '
            'headgate doctor --fix'
        );
    end if;
end;
$func$;

comment on function headgate.require_fit(text, boolean) is
    'Raise unless a plan''s function belongs to the plan''s role, is security definer and pins its search_path; '
    'p_is_plans false: '
    'any owner will do.';
