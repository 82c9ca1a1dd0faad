create or replace function headgate._cover_groups(
    p_pipeline text,
    p_step text,
    p_group_keys text[]
)
returns table (added integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_step headgate.pipeline_steps;
    v_other record;
begin
    select * into v_step
    from headgate.pipeline_steps as s
    where s.pipeline_id = v_pipeline.pipeline_id
        and s.step = p_step
    for update;
    if not found or v_step.kind <> 'fan_out' then
        perform headgate._raise(
            'HG003',
            format('pipeline %s has no step %s that covers groups', p_pipeline, quote_nullable(p_step)),
            'steps that do: ' || headgate._names(array(
                select s.step
                from headgate.pipeline_steps as s
                where s.pipeline_id = v_pipeline.pipeline_id
                    and s.kind = 'fan_out'
            ))
        );
    elsif coalesce(array_position(p_group_keys, null) is not null or '' = any (p_group_keys), true) then
        perform headgate._raise(
            'HG008', 'p_group_keys must not contain null', 'give an array of group keys, e.g. {VI}'
        );
    end if;
    select s.step, g.group_key into v_other
    from headgate.pipeline_steps as s
    join unnest(p_group_keys) as g (group_key) on s.group_keys is null or g.group_key = any (s.group_keys)
    where s.pipeline_id = v_pipeline.pipeline_id
        and s.step <> p_step
        and s.operations && v_step.operations
    limit 1;
    if found then
        perform headgate._raise(
            'HG008', format('group %L is already covered by step %s', v_other.group_key, v_other.step),
            'a group belongs to one step only; nothing was changed'
        );
    end if;

    insert into headgate.step_groups (pipeline_id, step, group_key, added_at)
    select v_pipeline.pipeline_id, p_step, g.group_key, headgate.clock()
    from (select distinct unnest(p_group_keys) as group_key) as g
    where g.group_key <> all (v_step.group_keys)
    order by g.group_key
    on conflict do nothing;
    get diagnostics added = row_count;
    perform headgate._add_step_groups();
    return next;
end;
$func$;
