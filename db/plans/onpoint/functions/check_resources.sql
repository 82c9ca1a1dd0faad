-- Processor, memory and disk of the machine on which the step measure_machine ran, and the number of live runners.

create or replace function onpoint.check_resources(p_pipeline text, p_run_id text)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select m.figures || jsonb_build_object(
        'status', case
            when (m.figures ->> 'cpu_percent')::numeric < 90
                and (m.figures ->> 'memory_percent')::numeric < 90
                and (m.figures ->> 'disk_percent')::numeric < 90 then 'HEALTHY'
            when m.figures = '{}' then 'NO_DATA'
            else 'WARNING'
        end,
        'active_workers', (
            select count(*)
            from headgate.v_runners as r
            where r.last_seen_at > headgate.clock() - interval '1 minute'
        )
    )
    from (
        select coalesce(headgate.step_output(p_pipeline, p_run_id, 'measure_machine'), '{}') as figures
    ) as m;
$func$;

comment on function onpoint.check_resources(text, text) is
    'HEALTHY while the machine''s processors, memory and disk are less than 90 percent in use, else WARNING.';
