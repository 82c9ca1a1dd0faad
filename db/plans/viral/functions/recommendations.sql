-- What a person may want to look at after a run.

create or replace function viral.recommendations(p_run jsonb)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_agg(r.text order by r.nth), '[]')
    from (
        select 1 as nth, format('step %s failed: see headgate report %s', s.key, p_run #>> '{run,id}') as text
        from jsonb_each(p_run -> 'steps') as s
        where s.value ->> 'status' = 'failed'
        union all
        select 2, w
        from jsonb_array_elements_text(p_run #> '{steps,health_check,output,summary,warnings}') as w
        union all
        select 3, format(
            '%s is %s, its target %s', e.name, viral.kpi_text(e.value, t.unit), viral.kpi_text(e.target, t.unit)
        )
        from viral.v_executive as e
        join viral.kpi_targets as t using (name)
        where e.run_id = p_run #>> '{run,id}'
            and not e.is_on_target
        union all
        select 4, format('%s posts of this run were none: viral.refused_posts', count(*))
        from viral.refused_posts as f
        where f.run_id = p_run #>> '{run,id}'
        having count(*) > 0
    ) as r;
$func$;

comment on function viral.recommendations(jsonb) is
    'What a person may want to look at after a run: failed steps, warnings, figures below target, refused posts.';
