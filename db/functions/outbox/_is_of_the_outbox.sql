-- Whether a pipeline sends notices: its own events are not sent, or a failure would cause notices for ever.
create or replace function headgate._is_of_the_outbox(p_pipeline_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.pipeline_steps as s
        join headgate.operations as o on o.name = any (s.operations)
        where s.pipeline_id = p_pipeline_id
            and o.universe = any (headgate._outbox())
    );
$func$;
