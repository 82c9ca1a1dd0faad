-- The KPIs of a run. What it has nothing to measure by is null, and no zero.

create or replace function viral.measure_kpis(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_before constant text := (
        select m.run_id
        from viral.metrics as m
        where m.name = 'cost_per_follow_dollars_sum'
            and m.run_id <> p_run_id
        order by m.measured_at desc
        limit 1
    );
begin
    insert into viral.kpis (run_id, name, value, measured_at)
    select p_run_id, k.name, k.value, headgate.clock()
    from (values
        ('engagement_rate', (
            select sum(o.successes)::double precision / nullif(sum(o.successes + o.failures), 0)
            from viral.outcomes as o
            where o.run_id = p_run_id
        )),
        ('cost_per_follow',
            viral.growth_of('cost_per_follow_dollars_sum', p_run_id, v_before)
            / nullif(viral.growth_of('cost_per_follow_dollars_count', p_run_id, v_before), 0)
        ),
        ('content_generated_total', viral.growth_of('posts_generated_total', p_run_id, null)),
        ('pattern_accuracy', (
            select sum(s.hits)::double precision / nullif(sum(s.later_posts), 0)
            from viral.pattern_scores as s
            where s.run_id = p_run_id
        )),
        ('revenue_projection_monthly', viral.growth_of('revenue_projection_monthly', p_run_id, null))
    ) as k (name, value)
    on conflict (run_id, name) do update set
        value = excluded.value,
        measured_at = excluded.measured_at;
    return (select jsonb_object_agg(k.name, k.value) from viral.kpis as k where k.run_id = p_run_id);
end;
$func$;

comment on function viral.measure_kpis(text, text) is
    'Compute and keep the KPIs of a run from its outcomes and metrics.';
