-- Tables of the schema headgate_stage that do not fit their operations, and rows that no lease will merge.

create or replace function headgate._examine_stages()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'stage of ' || u.operation, 'fail',
        case
            when to_regclass(format('headgate_stage.%I', u.operation)) is null then 'it is missing'
            else format('it has other columns than %s', u.stage)
        end,
        'headgate doctor --fix makes it again', true
    from headgate._unfit_stages() as u
    union all
    select
        'stage of ' || o.name, 'warn', 'it has rows of leases that have ended',
        'the maintenance removes them; headgate doctor --fix does it now', true
    from headgate.operations as o
    where o.stage is not null
        and headgate._has_strays(o.name);
$func$;

create or replace function headgate._has_strays(p_operation text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_found boolean := false;
begin
    if to_regclass(format('headgate_stage.%I', p_operation)) is not null then
        execute format(
            'select exists (select from headgate_stage.%I as s where not exists (select from headgate.chunks as c '
            'where c.chunk_id = s.chunk_id and c.lease_no = s.lease_no and c.state = ''leased''))', p_operation
        )
        into v_found;
    end if;
    return v_found;
end;
$func$;
