-- Steps list their groups in the plan's rows. Groups added by operators are stored separately and added again after
-- each migrate, which restores the plan's rows.

create or replace function headgate.cover_groups(
    p_pipeline text,
    p_step text,
    p_group_keys text[]
)
returns table (added integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('cover_groups', jsonb_build_object(
            'p_pipeline', p_pipeline, 'p_step', p_step, 'p_group_keys', p_group_keys
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (added integer);
$func$;

comment on function headgate.cover_groups(text, text, text[]) is
    'Let a step of a pipeline cover more groups, in future runs and through every migrate; returns how many are new.';
