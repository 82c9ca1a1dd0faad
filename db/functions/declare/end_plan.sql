-- Ends a plan's file: retires what is no longer declared, reports all mistakes at once, and creates what the rows
-- imply, so that a plan that was declared in psql runs as it is.

create or replace function headgate.end_plan()
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_plan constant text := headgate._open_plan();
    v_retired text;
begin
    if not exists (select from headgate.declaration_mistakes as m where m.plan = v_plan) then
        v_retired := headgate._retire_undeclared(v_plan);
    end if;
    perform headgate._add_step_groups();
    perform headgate._note_plan_mistakes(v_plan);
    perform headgate._raise_mistakes(v_plan);
    perform headgate._note_ingest_kinds();  -- reads the plan's schema, so not as the owner
    perform headgate._open_implied(array(
        select distinct o.universe
        from headgate.declarations as d
        join headgate.operations as o using (name)
        where d.plan = v_plan
            and d.kind = 'operation'
            and d.is_declared
    ));
    perform set_config('headgate.plan', '', true);
    return coalesce('retired: ' || v_retired, 'unchanged');
end;
$func$;

comment on function headgate.end_plan() is
    'End a plan: retire what is no longer declared, or raise HG020 with all mistakes; returns what was retired.';

-- Checks that need the whole file: names of steps and parameters, functions, template fields.
create or replace function headgate._note_plan_mistakes(p_plan text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.declaration_mistakes (plan, place, kind, name, message, hint)
    select d.plan, d.place, d.kind, d.name, f.message, f.hint
    from headgate._plan_mistakes() as f
    join headgate.declarations as d using (kind, name)
    where d.plan = p_plan
        and d.is_declared
        and not headgate._is_mistaken(f.kind, f.name)
        and (f.missing is null or not headgate._is_mistaken(f.missing_kind, f.missing))
        and not exists (  -- fields of an invalid parameter are not reported again
            select
            from headgate.declaration_mistakes as m
            where m.plan = p_plan
                and m.kind = 'parameter'
                and f.message like '%{param.' || split_part(m.name, '/', 2) || '}'
        )
    order by d.position;
$func$;

create or replace function headgate._raise_mistakes(p_plan text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_count integer;
    v_lines text;
begin
    select count(*), string_agg(
        format('%s%s%s', m.place || ': ', m.message, E'\n    hint: ' || nullif(m.hint, '')), E'\n'
        order by substring(m.place from ':(\d+)$')::integer, m.mistake_id
    )
    into v_count, v_lines
    from headgate.declaration_mistakes as m
    where m.plan = p_plan
        and m.message <> '';
    if v_count > 0 then
        perform headgate._raise(
            'HG020',
            format(
                'plan %s has %s:%s',
                p_plan, case v_count when 1 then 'a mistake' else v_count || ' mistakes' end, E'\n' || v_lines
            ),
            'correct the file; nothing of it was applied'
        );
    end if;
end;
$func$;
