-- End steps whose last jobs ended in several sessions at once, each of which missed what the others counted; also take
-- in what is noted beside steps that have ended in another way.

create or replace function headgate._settle_steps(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step record;
    v_is_settled boolean := false;
begin
    for v_step in select u.execution_id, u.step from headgate._unsettled_steps() as u loop
        perform headgate._count_jobs(v_step.execution_id, v_step.step, headgate._tally('{}'), p_now);
        v_is_settled := true;
    end loop;
    return v_is_settled;
end;
$func$;
