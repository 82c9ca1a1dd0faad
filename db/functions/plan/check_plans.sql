-- Runs after every migration: references to missing objects raise here, by name, instead of failing a run at night.
-- Also creates what the rows imply: a breaker and queues per provider, a state row per need.

create or replace function headgate.check_plans()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._note_ingest_kinds();
    perform headgate._add_step_groups();
    perform headgate._check_rows();
    perform headgate._drop_needs();
    perform headgate._open_implied();
    perform headgate._open_months(3);
end;
$func$;

comment on function headgate.check_plans() is
    'Raise for rows that refer to missing objects, and create what they imply; migrate calls it last.';

-- All mistakes at once, under the code of the first.
create or replace function headgate._check_rows()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_found record;
begin
    select
        count(*) as mistakes, (array_agg(f.code))[1] as code, string_agg(f.message, E'\n') as message,
        case count(*) when 1 then min(f.hint) else 'correct db/plans/<plan>/plan.sql' end as hint
    into v_found
    from headgate._plan_mistakes() as f;
    if v_found.mistakes > 0 then
        perform headgate._raise(v_found.code, v_found.message, v_found.hint);
    end if;
end;
$func$;
